import { describe, expect, it } from '@jest/globals';
import type { ReportLine } from './audit-report.ts';
import { asCsv, asJson, reportColumns } from './report-format.ts';

const line = (unit: number): ReportLine => ({
  record: 'units',
  productId: 'p',
  unit,
  orderId: 'o',
  orderNumber: 'n',
  kind: 'order',
  userId: 'u',
  place: 'given-back',
  status: 'CANCELLED',
  takenAt: 't',
  at: 't',
  by: 'u',
  reason: '=1+1, "really"',
});
const all: ReportLine[] = [
  { record: 'sale', saleId: 's', kind: 'timed', at: 't', epoch: 1 },
  line(1),
  line(2),
  { record: 'refusals', reason: 'sold-out', count: 3 },
  { record: 'verdict', verdict: 'ok', reason: '' },
];
async function* give(lines: readonly ReportLine[]) {
  yield* lines;
}
async function textOf(chunks: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const chunk of chunks) text += chunk;
  return text;
}

describe('the report', () => {
  it('is one JSON object with all of its lists', async () => {
    const { record: _, ...first } = line(1) as ReportLine & { record: 'units' };
    expect(JSON.parse(await textOf(asJson(give(all))))).toEqual({
      saleId: 's',
      kind: 'timed',
      at: 't',
      epoch: 1,
      products: [],
      movements: [],
      units: [first, { ...first, unit: 2 }],
      refusals: [{ reason: 'sold-out', count: 3 }],
      drifts: [],
      verdict: 'ok',
      reason: '',
    });
  });

  it('is a table with a line for each', async () => {
    const [head, ...rows] = (await textOf(asCsv(give(all)))).trimEnd().split('\r\n');
    expect(head).toBe(reportColumns.join(','));
    expect(rows).toHaveLength(all.length);
    expect(rows[1]).toContain(`"'=1+1, ""really"""`);
  });
});
