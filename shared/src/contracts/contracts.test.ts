import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import {
  defineEvent,
  inventoryResult,
  orderCreated,
  orderStatus,
  topics,
  UnknownEventType,
  upcastFrom,
} from './index.ts';

const golden = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`./events/golden/${name}.json`, import.meta.url), 'utf8'));

const contracts = [orderCreated, inventoryResult, orderStatus];

describe('event contracts', () => {
  it.each(contracts.map((contract) => [contract.type, contract] as const))(
    'the golden file of %s parses for ever',
    (_, contract) => {
      const type = `${contract.type}.v${contract.version}`;
      const data = golden(type.replace('.', '-'));
      expect(contract.decode(type, data)).toEqual(data);
    },
  );

  it('an event carries id, key and context', () => {
    const data = orderStatus.decode('order.status.v1', golden('order-status.v1'));
    expect(orderStatus.event(data, { requestId: 'r1' })).toEqual({
      topic: 'order.status',
      key: data.userId,
      id: `${data.orderId}:2`,
      type: 'order.status.v1',
      subject: data.orderId,
      time: data.at,
      data,
      requestId: 'r1',
    });
  });

  it('what a version does not know is ignored, so that optional fields can be added', () => {
    const data = golden('inventory-result.v1') as object;
    expect(inventoryResult.decode('inventory.result.v1', { ...data, added: 1 })).toEqual(data);
  });

  it('unknown types and wrong data are refused', () => {
    const data = golden('order-created.v1') as object;
    expect(() => orderCreated.decode('order.created.v9', data)).toThrow(UnknownEventType);
    expect(() => orderCreated.decode('order.created.v1', { ...data, userId: '$ne' })).toThrow(
      z.ZodError,
    );
    expect(() => orderCreated.event({ ...data, items: [] } as never)).toThrow(z.ZodError);
  });

  it('an older version is lifted to the newest, over several steps', () => {
    const common = {
      type: 'order.created',
      topic: topics.orderCreated,
      key: () => 'k',
      id: () => 'i',
      subject: () => 's',
    };
    const v1 = defineEvent({ ...common, version: 1, schema: z.object({ a: z.number() }) });
    const v2 = defineEvent({
      ...common,
      version: 2,
      schema: z.object({ b: z.number() }),
      upcast: upcastFrom(v1, ({ a }) => ({ b: a + 1 })),
    });
    const v3 = defineEvent({
      ...common,
      version: 3,
      schema: z.object({ c: z.number() }),
      upcast: upcastFrom(v2, ({ b }) => ({ c: b * 10 })),
    });
    expect(v3.decode('order.created.v1', { a: 1 })).toEqual({ c: 20 });
    expect(v3.decode('order.created.v2', { b: 3 })).toEqual({ c: 30 });
    expect(() => v3.decode('order.created.v4', {})).toThrow(UnknownEventType);
  });
});
