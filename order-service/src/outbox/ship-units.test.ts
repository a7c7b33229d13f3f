import { beforeEach, describe, expect, it } from '@jest/globals';
import { unavailable } from '@quicksale/shared/errors';
import { createLogger } from '@quicksale/shared/log';
import { createMemoryOrderStore, type Order } from '@quicksale/shared/orders';
import { givenOrder, newId } from '@quicksale/shared/testing';
import { createUnitShipper, type ShipUnits } from './ship-units.ts';
import type { ArrivingStock } from './stock-arrivals.ts';

const by = newId();
const to = newId();
const reason = 'allotment';

describe('shipping units', () => {
  let steps: string[];
  let movements: ArrivingStock[];
  let calls: { saleId: string; orders: number; units: number }[];
  let answer: (orderId: string) => 'shipped' | 'already' | 'fenced' | 'not_admitted';
  let arrive: (movement: ArrivingStock) => Promise<void>;
  let shipUnits: ShipUnits;
  const orders = createMemoryOrderStore();

  beforeEach(() => {
    steps = [];
    movements = [];
    calls = [];
    answer = () => 'shipped';
    arrive = async () => undefined;
    shipUnits = createUnitShipper({
      ledger: {
        ship: async (saleId, shipments) => {
          steps.push('ship');
          const units = shipments.flatMap((shipment) => Object.values(shipment.units).flat());
          calls.push({ saleId, orders: shipments.length, units: units.length });
          return shipments.map(({ orderId }) => answer(orderId));
        },
      },
      arrivals: {
        arrive: async (movement) => {
          steps.push('arrive');
          movements.push(movement);
          await arrive(movement);
        },
      },
      orders: {
        finishShipping: async (shipments) => {
          steps.push('finish');
          await orders.finishShipping(shipments);
        },
      },
      log: createLogger({ service: 'test', level: 'silent' }),
    });
  });

  async function given(...wishes: Parameters<typeof givenOrder>[0][]): Promise<Order[]> {
    const made = wishes.map((wish) => givenOrder({ house: { by, reason }, ...wish }));
    await orders.insertMany(made);
    return made;
  }
  const outcomes = async (given: readonly Order[]) => {
    const found = await shipUnits(given);
    return given.map(({ id }) => found.get(id));
  };
  const marked = async (given: readonly Order[]) =>
    (await orders.findByIds(given.map(({ id }) => id))).map(({ shipping }) => shipping?.length);

  it('takes the mark off once the ledger has let go', async () => {
    const [order] = await given({ units: [1, 2] });
    if (!order) throw new Error('no order');
    expect(await outcomes([order])).toEqual(['shipped']);
    expect(steps).toEqual(['ship', 'finish']);
    const [found] = await orders.findByIds([order.id]);
    expect(found).not.toHaveProperty('shipping');
    expect(found?.units).toEqual(order.units);
  });

  it('is harmless the second time', async () => {
    answer = () => 'already';
    expect(await outcomes(await given({}))).toEqual(['shipped']);
  });

  it('has units arrive in the other sale before the mark goes', async () => {
    const [order] = await given({ units: [3, 4, 5], house: { by, reason, to } });
    if (!order) throw new Error('no order');
    expect(await outcomes([order])).toEqual(['shipped']);
    expect(steps).toEqual(['ship', 'arrive', 'finish']);
    const productId = order.items[0]?.productId;
    expect(movements).toEqual([{ houseOrderId: order.id, saleId: to, productId, units: 3, by }]);
  });

  it('keeps the mark while the movement is not acknowledged', async () => {
    arrive = () => Promise.reject(unavailable('away'));
    const waiting = await given({ units: [1], house: { by, reason, to } }, { units: [2] });
    expect(await outcomes(waiting)).toEqual(['later', 'shipped']);
    expect(await marked(waiting)).toEqual([1, undefined]);
    arrive = async () => undefined;
    expect(await outcomes(waiting.slice(0, 1))).toEqual(['shipped']);
    expect(await marked(waiting)).toEqual([undefined, undefined]);
  });

  it.each([
    ['fenced', 'fenced'],
    ['not_admitted', 'later'],
  ] as const)('asks for no movement of units that a %s ledger keeps', async (status, outcome) => {
    const [kept, gone] = await given({ house: { by, reason, to } }, { house: { by, reason, to } });
    if (!kept || !gone) throw new Error('no orders');
    answer = (orderId) => (orderId === kept.id ? status : 'shipped');
    expect(await outcomes([kept, gone])).toEqual([outcome, 'shipped']);
    expect(movements.map(({ houseOrderId }) => houseOrderId)).toEqual([gone.id]);
    expect(await marked([kept, gone])).toEqual([1, undefined]);
  });

  it("lets no sale pay for another's trouble", async () => {
    const [first, second] = await given({}, {});
    if (!first || !second) throw new Error('no orders');
    answer = (orderId) => {
      if (orderId === first.id) throw unavailable('the ledger is away');
      return 'shipped';
    };
    expect(await outcomes([first, second])).toEqual(['later', 'shipped']);
  });

  it('asks an absent inventory-service for many at the same time', async () => {
    let waiting = 0;
    let most = 0;
    arrive = async () => {
      most = Math.max(most, (waiting += 1));
      await new Promise((resolve) => setImmediate(resolve));
      waiting -= 1;
      throw unavailable('away');
    };
    const many = await given(...Array.from({ length: 50 }, () => ({ house: { by, reason, to } })));
    expect(await outcomes(many)).toEqual(many.map(() => 'later'));
    expect(most).toBe(32);
  });

  it('keeps calls to the ledger small', async () => {
    const saleId = newId();
    const units = Array.from({ length: 1_500 }, (_, index) => index + 1);
    const large = await given({ saleId, units }, { saleId, units }, { saleId, units: [1] });
    await shipUnits(large);
    expect(calls).toEqual([
      { saleId, orders: 1, units: 1_500 },
      { saleId, orders: 2, units: 1_501 },
    ]);
  });

  it('leaves orders alone that have nothing to ship', async () => {
    expect((await shipUnits([givenOrder()])).size).toBe(0);
    expect(steps).toEqual([]);
  });
});
