import { ended, saleState, withItem, type SaleState, type TimedSale } from './timed-sale.ts';

/** What may be changed as long as the sale has not opened. */
export interface SaleTerms extends Pick<
  TimedSale,
  'name' | 'opensAt' | 'closesAt' | 'perBuyerLimit' | 'holdMs' | 'durability'
> {
  items: readonly { productId: string; price: number }[];
}

/** What may be changed while it is open as well. */
const openTerms: readonly string[] = ['name', 'closesAt', 'perBuyerLimit'];

export type ChangeRefusal =
  /** Its state does not allow this; `field` names what cannot be changed any more. */
  | { kind: 'wrong-state'; state: SaleState; field?: string }
  | { kind: 'unknown-product'; productId: string }
  | { kind: 'bad-window' }
  /** The id stands for another restock. */
  | { kind: 'key-reused' };

/** The very sale that was given: there is nothing to change. */
export type Decision = { kind: 'next'; sale: TimedSale } | ChangeRefusal;

/** A decision about a sale at a time. Pure. */
export type SaleChange = (sale: TimedSale, nowMs: number) => Decision;

/** New terms; prices of its items among them. */
export const changeTerms =
  ({ items = [], ...terms }: Partial<SaleTerms>): SaleChange =>
  (sale, nowMs) => {
    const state = saleState(sale, nowMs);
    if (!isRunning(state)) return wrong(state);
    const hasOpened = nowMs >= sale.opensAt.getTime();
    const fields = [...Object.keys(terms), ...(items.length > 0 ? ['items'] : [])];
    const late = fields.find((field) => hasOpened && !openTerms.includes(field));
    if (late) return wrong(state, late);
    let changed: TimedSale = { ...sale, ...terms };
    if (changed.closesAt <= changed.opensAt || changed.closesAt.getTime() <= nowMs)
      return { kind: 'bad-window' };
    for (const { productId, price } of items) {
      if (!hasItem(sale, productId)) return { kind: 'unknown-product', productId };
      changed = withItem(changed, productId, (item) => ({ ...item, price }));
    }
    return next(changed);
  };

/** Nobody can order until it is resumed. */
export const pause: SaleChange = (sale, nowMs) => {
  const state = saleState(sale, nowMs);
  if (state === 'paused') return { kind: 'next', sale };
  return isRunning(state) ? next({ ...sale, stage: 'paused' }) : wrong(state);
};

/** Goes on with a paused sale, within its time. */
export const resume: SaleChange = (sale, nowMs) => {
  const state = saleState(sale, nowMs);
  if (state === 'paused') return next({ ...sale, stage: 'ready' });
  return isRunning(state) ? { kind: 'next', sale } : wrong(state);
};

/** Ends it for good, whatever its time says; what is left goes back. */
export const close: SaleChange = (sale, nowMs) => {
  if (sale.stage === 'closing' || sale.stage === 'finished') return { kind: 'next', sale };
  if (sale.stage === 'preparing') return wrong('preparing');
  return { kind: 'next', sale: ended(sale, nowMs) };
};

export interface WantedUnits {
  productId: string;
  units: number;
  /** Names the request: asked for again it moves nothing more. */
  id?: string;
}

/** Enough for whoever repeats a request; older ones are forgotten. */
const restocksKept = 50;

/** Further units of an item are to be moved in. */
export const restock =
  ({ productId, units, id }: WantedUnits): SaleChange =>
  (sale, nowMs) => {
    const earlier = findRestock(sale, id);
    if (earlier)
      return earlier.productId === productId && earlier.units === units
        ? { kind: 'next', sale }
        : { kind: 'key-reused' };
    const state = saleState(sale, nowMs);
    if (!isRunning(state)) return wrong(state);
    if (!hasItem(sale, productId)) return { kind: 'unknown-product', productId };
    return next(
      withItem(sale, productId, (item) => ({
        ...item,
        stock: item.stock + units,
        ...(id && { restocks: [...(item.restocks ?? []), { id, units }].slice(-restocksKept) }),
      })),
    );
  };

/** The restock of this id, when the sale has had it. */
export const findRestock = ({ items }: TimedSale, id: string | undefined) =>
  items
    .flatMap(({ productId, restocks = [] }) => restocks.map((one) => ({ productId, ...one })))
    .find((one) => one.id === id);

const next = (sale: TimedSale): Decision => ({
  kind: 'next',
  sale: { ...sale, settingsVersion: sale.settingsVersion + 1 },
});

const isRunning = (state: SaleState | undefined): state is 'scheduled' | 'open' | 'paused' =>
  state === 'scheduled' || state === 'open' || state === 'paused';

const hasItem = (sale: TimedSale, productId: string) =>
  sale.items.some((item) => item.productId === productId);

const wrong = (state: SaleState = 'finished', field?: string): Decision => ({
  kind: 'wrong-state',
  state,
  ...(field && { field }),
});
