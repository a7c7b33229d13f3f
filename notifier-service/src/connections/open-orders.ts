import type { OpenOrder } from './frame.ts';

/** A user's orders that are still going on, newest first. Read only: others write them. */
export type ReadOpenOrders = (userId: string) => Promise<readonly OpenOrder[]>;
