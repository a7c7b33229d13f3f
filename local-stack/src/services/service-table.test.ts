import { expect, test } from '@jest/globals';
import { portVariables, serviceTable } from './service-table.ts';

test('no two services share a port or a variable', () => {
  const all = serviceTable.flatMap(portVariables);
  expect(new Set(all.map(({ standard }) => standard)).size).toBe(all.length);
  expect(new Set(all.map(({ variable }) => variable)).size).toBe(all.length);
});

test('an admin port is the public port + 6000', () => {
  for (const row of serviceTable.filter(({ port }) => port !== undefined)) {
    expect(row.adminPort).toBe((row.port ?? 0) + 6000);
  }
});
