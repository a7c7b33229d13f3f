import { defineScript } from '../redis/index.ts';

const script = (name: string) => new URL(`./scripts/${name}.lua`, import.meta.url);

/** A reply that starts with a status word, as a list of its parts. */
export type StatusReply = [status: string, ...rest: unknown[]];
const parseStatus = (reply: unknown) => reply as StatusReply;
const parseWord = (reply: unknown) => String(reply);

export const reserveScript = defineScript({
  file: script('reserve'),
  keys: ['admitted', 'sale', 'stock', 'buyers', 'holds', 'due', 'unrecorded', 'idem..', 'free..'],
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
});

export const releaseScript = defineScript({
  file: script('release'),
  keys: ['admitted', 'sale', 'stock', 'buyers', 'holds', 'due', 'unrecorded', 'free..'],
  args: ['runId', 'saleId', 'orderCount', 'productCount', 'productId..', 'order..'],
  parseReply: parseStatus,
});

export const claimUnrecordedScript = defineScript({
  file: script('claim-unrecorded'),
  keys: ['admitted', 'unrecorded'],
  args: ['runId', 'ageMs', 'leaseMs', 'limit'],
  parseReply: parseStatus,
});

export const readHoldsScript = defineScript({
  file: script('read-holds'),
  keys: ['admitted', 'sale', 'holds', 'unrecorded'],
  args: ['runId', 'saleId', 'orderId..'],
  parseReply: parseStatus,
});

export const raiseScript = defineScript({
  file: script('raise'),
  keys: ['admitted', 'sale', 'stock'],
  args: ['runId', 'productId', 'lastUnit'],
  parseReply: parseWord,
});

export const putSaleScript = defineScript({
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
});

export const fenceScript = defineScript({
  file: script('fence'),
  keys: ['admitted', 'sale'],
  args: ['runId', 'epoch'],
  parseReply: parseWord,
});

export const snapshotScript = defineScript({
  file: script('snapshot'),
  keys: ['admitted', 'sale', 'stock', 'holds', 'unrecorded'],
  args: ['runId', 'cursor', 'sliceSize'],
  parseReply: parseStatus,
});
