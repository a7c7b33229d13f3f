import { z } from 'zod';

/** A bare hold by its sale and the id of its record there. */
export interface HoldName {
  saleId: string;
  recordId: string;
}

const objectIdDigits = 24;

/** The id that clients see: the sale and the record, 48 hex digits. It leads to the ledger's shard. */
export const printHoldId = ({ saleId, recordId }: HoldName): string => saleId + recordId;

/** A hold's id in a request, taken apart. */
export const holdId = z
  .string()
  .regex(/^[0-9a-fA-F]{48}$/, 'must be the id of a hold, 48 hex digits')
  .transform((text): HoldName => {
    const digits = text.toLowerCase();
    return { saleId: digits.slice(0, objectIdDigits), recordId: digits.slice(objectIdDigits) };
  });
