import { defineScript } from '../redis/index.ts';

/** A reply that starts with a status word, as a list of its parts. */
export type StatusReply = [status: string, ...rest: unknown[]];
const parseStatus = (reply: unknown) => reply as StatusReply;
const parseWord = (reply: unknown) => String(reply);

export type LedgerScripts = ReturnType<typeof loadLedgerScripts>;

/** The scripts of a folder; tests load altered copies of them. */
export function loadLedgerScripts(folder: URL) {
  const script = (name: string) => new URL(`${name}.lua`, folder);
  return {
    reserve: defineScript({
      file: script('reserve'),
      keys: [
        'admitted',
        'sale',
        'stock',
        'buyers',
        'holds',
        'due',
        'unrecorded',
        'bare',
        'idem..',
        'free..',
      ],
      args: [
        'runId',
        'saleId',
        'orderCount',
        'productCount',
        'recordedCount',
        'recorded..',
        'productId..',
        'order..',
      ],
      parseReply: parseStatus,
    }),
    release: defineScript({
      file: script('release'),
      keys: ['admitted', 'sale', 'stock', 'buyers', 'holds', 'due', 'unrecorded', 'bare', 'free..'],
      args: ['runId', 'saleId', 'orderCount', 'productCount', 'productId..', 'order..'],
      parseReply: parseStatus,
    }),
    settle: defineScript({
      file: script('settle'),
      keys: ['admitted', 'sale', 'stock', 'holds', 'due'],
      args: ['runId', 'saleId', 'orderId..'],
      parseReply: parseStatus,
    }),
    ship: defineScript({
      file: script('ship'),
      keys: ['admitted', 'sale', 'stock', 'holds', 'due', 'unrecorded'],
      args: ['runId', 'saleId', 'orderCount', 'productCount', 'productId..', 'order..'],
      parseReply: parseStatus,
    }),
    claimDue: defineScript({
      file: script('claim-due'),
      keys: ['admitted', 'due'],
      args: ['runId', 'leaseMs', 'limit'],
      parseReply: parseStatus,
    }),
    claimUnrecorded: defineScript({
      file: script('claim-unrecorded'),
      keys: ['admitted', 'unrecorded'],
      args: ['runId', 'ageMs', 'leaseMs', 'limit'],
      parseReply: parseStatus,
    }),
    markUnrecorded: defineScript({
      file: script('mark-unrecorded'),
      keys: ['admitted', 'sale', 'holds', 'unrecorded'],
      args: ['runId', 'saleId', 'orderId..'],
      parseReply: parseStatus,
    }),
    readHolds: defineScript({
      file: script('read-holds'),
      keys: ['admitted', 'sale', 'holds', 'unrecorded', 'due'],
      args: ['runId', 'saleId', 'orderId..'],
      parseReply: parseStatus,
    }),
    raise: defineScript({
      file: script('raise'),
      keys: ['admitted', 'sale', 'stock'],
      args: ['runId', 'productId', 'lastUnit'],
      parseReply: parseWord,
    }),
    putSale: defineScript({
      file: script('put-sale'),
      keys: ['admitted', 'sale', 'stock'],
      args: [
        'runId',
        'create',
        'settingsVersion',
        'state',
        'opensAtMs',
        'closesAtMs',
        'perBuyerLimit',
        'holdMs',
        'durability',
        'product..',
      ],
      parseReply: parseWord,
    }),
    fence: defineScript({
      file: script('fence'),
      keys: ['admitted', 'sale'],
      args: ['runId', 'epoch'],
      parseReply: parseWord,
    }),
    rebuild: defineScript({
      file: script('rebuild'),
      keys: [
        'admitted',
        'sale',
        'stock',
        'buyers',
        'holds',
        'due',
        'unrecorded',
        'bare',
        'free..',
        'idem..',
      ],
      args: [
        'runId',
        'saleId',
        'epoch',
        'slice',
        'step',
        'records',
        'settingCount',
        'fieldCount',
        'buyerCount',
        'recordCount',
        'struckCount',
        'productCount',
        'setting..',
        'field..',
        'buyer..',
        'record..',
        'struck..',
        'number..',
        'key..',
      ],
      parseReply: parseStatus,
    }),
    snapshot: defineScript({
      file: script('snapshot'),
      keys: ['admitted', 'sale', 'stock', 'holds', 'unrecorded'],
      args: ['runId', 'cursor', 'sliceSize'],
      parseReply: parseStatus,
    }),
  };
}

export const ledgerScripts = loadLedgerScripts(new URL('./scripts/', import.meta.url));
