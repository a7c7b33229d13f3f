import type { ReserveReply, ReserveRequest } from './ledger.ts';
import { parseHoldRecord } from './hold-record.ts';
import type { StatusReply } from './scripts.ts';

/** The distinct products of a call and of the holds it names, in the order the script is told. */
export function productsOf(requests: readonly ReserveRequest[]): string[] {
  return [
    ...new Set(
      requests.flatMap(({ items, holdProductIds = [] }) => [
        ...items.map((item) => item.productId),
        ...holdProductIds,
      ]),
    ),
  ];
}

/** Flat arguments of the orders of one call; items name their product by its place (from 1). */
export function orderArguments(
  requests: readonly ReserveRequest[],
  products: readonly string[],
): string[] {
  const place = new Map(products.map((id, index) => [id, String(index + 1)]));
  return requests.flatMap((request) => [
    request.orderId,
    request.userId,
    request.kind,
    request.fingerprint,
    request.replaces ?? '',
    request.holdId ?? '',
    String(request.ttlMs ?? 0),
    request.earlierUnasked ? '1' : '0',
    request.facts,
    String(request.items.length),
    ...request.items.flatMap((item) => [place.get(item.productId) ?? '', String(item.quantity)]),
  ]);
}

/** The script's reply as one answer per order; a refusal of the whole call is everybody's. */
export function parseReserveReply(
  reply: StatusReply,
  requests: readonly ReserveRequest[],
): ReserveReply[] {
  const [status, ...perOrder] = reply;
  switch (status) {
    case 'ok':
      return requests.map((request, index) => parseOne(perOrder[index] as string[], request));
    case 'not_admitted':
    case 'fenced':
    case 'unknown_sale':
      return requests.map(() => ({ status }));
    default:
      throw new Error(`reserve.lua answered ${status}`);
  }
}

function parseOne(reply: readonly string[], request: ReserveRequest): ReserveReply {
  const [status, first = '', second = '', third = ''] = reply;
  switch (status) {
    case 'reserved':
      return {
        status,
        record: parseHoldRecord(request.orderId, `${first}\n${request.facts}`),
      };
    case 'replayed':
      return {
        status,
        orderId: first,
        recorded: second === '1',
        ...(third && { record: parseHoldRecord(first, third) }),
      };
    case 'sold_out':
      return { status, products: pairs(reply.slice(1)) };
    case 'limit':
      return { status, limit: Number(first), owned: Number(second) };
    case 'too_many_holds':
      return { status, most: Number(first) };
    case 'not_open':
      return { status, opensAtMs: Number(first) };
    case 'unknown_product':
      return { status, productId: first };
    case 'key_reused':
    case 'hold_gone':
    case 'ask_earlier':
    case 'closed':
    case 'paused':
      return { status };
    default:
      throw new Error(`reserve.lua answered ${status}`);
  }
}

function pairs(flat: readonly string[]): { productId: string; available: number }[] {
  const products = [];
  for (let index = 0; index < flat.length; index += 2)
    products.push({ productId: flat[index] ?? '', available: Number(flat[index + 1]) });
  return products;
}
