import { csvLine } from '@quicksale/shared/csv';
import type { ReportLine } from './audit-report.ts';

/** Lists of the report in their order; each is there, if only empty. */
const lists = ['products', 'movements', 'units', 'refusals', 'drifts'] as const;

/** Columns of the CSV form; a line has those of its record, the others are empty. */
export const reportColumns = [
  'record',
  'saleId',
  'kind',
  'epoch',
  'productId',
  'unit',
  'lastUnit',
  'available',
  'held',
  'committed',
  'gone',
  'movementId',
  'firstUnit',
  'units',
  'orderId',
  'orderNumber',
  'userId',
  'place',
  'status',
  'takenAt',
  'at',
  'by',
  'reason',
  'count',
  'drift',
  'expected',
  'found',
  'verdict',
] as const;

/** Text is handed on in pieces of about this many characters. */
const pieceSize = 16_384;

/** The report as one JSON object: the fields of its sale, its lists, and the verdict at the end. */
export async function* asJson(lines: AsyncIterable<ReportLine>): AsyncGenerator<string, void> {
  let text = '{';
  let open = -1;
  let isFirst = true;
  const openUpTo = (index: number) => {
    for (; open < index; isFirst = true) {
      if (open >= 0) text += ']';
      open += 1;
      if (open < lists.length) text += `,"${lists[open] ?? ''}":[`;
    }
  };
  for await (const { record, ...fields } of lines) {
    if (record === 'sale') text += JSON.stringify(fields).slice(1, -1);
    else if (record === 'verdict') {
      openUpTo(lists.length);
      text += `,${JSON.stringify(fields).slice(1, -1)}`;
    } else {
      openUpTo(lists.indexOf(record));
      text += `${isFirst ? '' : ','}${JSON.stringify(fields)}`;
      isFirst = false;
    }
    if (text.length < pieceSize) continue;
    yield text;
    text = '';
  }
  yield `${text}}\n`;
}

/** The report as a table, RFC 4180. */
export async function* asCsv(lines: AsyncIterable<ReportLine>): AsyncGenerator<string, void> {
  let text = csvLine(reportColumns);
  for await (const line of lines) {
    const fields: Readonly<Record<string, unknown>> = line;
    text += csvLine(reportColumns.map((name) => fields[name]));
    if (text.length < pieceSize) continue;
    yield text;
    text = '';
  }
  yield text;
}
