import { z } from 'zod';
import type { Principal } from '@quicksale/shared/auth';
import { AppError } from '@quicksale/shared/errors';
import { entityTag, isUnchanged, requireVersion, route, type Route } from '@quicksale/shared/http';
import { objectId } from '@quicksale/shared/orders';
import type { Clock, Random } from '@quicksale/shared/process';
import { upperCode, type Discount, type DiscountChange, type DiscountStore } from './discount.ts';
import {
  discountBody,
  discountChange,
  discountReply,
  discountView,
  merchantQuery,
} from './discount-fields.ts';
import type { DiscountUses } from './discount-uses.ts';
import { merchantOf } from './merchant-of.ts';
import { discountKey } from './pricing.ts';
import type { ReadThrough } from './read-through.ts';

export interface DiscountRoutesDeps {
  clock: Clock;
  random: Random;
  discounts: {
    store: DiscountStore;
    uses: Pick<DiscountUses, 'counts'>;
    /** What intake goes by. */
    cached: Pick<ReadThrough<Discount | undefined>, 'forget'>;
  };
}

const path = '/api/merchant/discounts';
const params = z.object({ id: objectId });
const access = ['MERCHANT', 'ADMIN'] as const;

const listQuery = merchantQuery.extend({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: objectId.optional(),
});

const page = z.object({
  data: z.array(discountReply),
  page: z.object({ next: z.string().nullable() }),
});

/** Discount codes of a merchant. Other processes go by a change within seconds. */
export function discountRoutes({ clock, random, discounts }: DiscountRoutesDeps): Route[] {
  async function findOwn(id: string, principal: Principal): Promise<Discount> {
    const found = await discounts.store.find(id);
    const isOwn = principal.role === 'ADMIN' || found?.merchantId === principal.userId;
    if (!found || !isOwn) throw new AppError('not-found', { message: 'You have no such discount' });
    return found;
  }

  async function answer(discount: Discount) {
    const count = (await discounts.uses.counts([discount.id])).get(discount.id) ?? 0;
    // Uses come and go without a new version.
    const headers = { ETag: entityTag(discount.version, count) };
    return { headers, body: discountView(discount, count) };
  }

  return [
    route(
      {
        operationId: 'createDiscount',
        method: 'post',
        path,
        summary: 'Make a discount code',
        access,
        query: merchantQuery,
        body: discountBody,
        replies: { 201: discountReply },
        errors: ['not-found', 'discount-code-taken', 'dependency-unavailable'],
      },
      async ({ query, body: { code, ...rest } }, { principal }) => {
        const nowMs = clock.now();
        const discount: Discount = {
          id: random.objectId(nowMs),
          merchantId: merchantOf(principal, query.merchantId),
          code: upperCode(code),
          ...withoutUndefined(rest),
          version: 1,
          createdAt: new Date(nowMs),
        };
        const rival = await discounts.store.insert(discount);
        if (rival)
          throw new AppError('discount-code-taken', { extensions: { discountId: rival.takenBy } });
        discounts.cached.forget(discountKey(discount.merchantId, discount.code));
        return {
          status: 201,
          headers: { Location: `${path}/${discount.id}`, ETag: entityTag(discount.version, 0) },
          body: discountView(discount, 0),
        };
      },
    ),
    route(
      {
        operationId: 'listDiscounts',
        method: 'get',
        path,
        summary: 'List your discount codes, newest first',
        access,
        query: listQuery,
        replies: { 200: page },
        errors: ['not-found', 'dependency-unavailable'],
      },
      async ({ query: { merchantId, limit, cursor } }, { principal }) => {
        const found = await discounts.store.list(merchantOf(principal, merchantId), {
          limit: limit + 1,
          ...(cursor && { before: cursor }),
        });
        const shown = found.slice(0, limit);
        const counts = await discounts.uses.counts(shown.map(({ id }) => id));
        const next = found.length > limit ? shown.at(-1)?.id : undefined;
        const rest = { limit: String(limit), ...(merchantId && { merchantId }) };
        const link = next && new URLSearchParams({ ...rest, cursor: next }).toString();
        return {
          status: 200,
          ...(link && { headers: { Link: `<${path}?${link}>; rel="next"` } }),
          body: {
            data: shown.map((one) => discountView(one, counts.get(one.id) ?? 0)),
            page: { next: next ?? null },
          },
        };
      },
    ),
    route(
      {
        operationId: 'readDiscount',
        method: 'get',
        path: `${path}/:id`,
        summary: 'Read a discount code and how often it was used',
        access,
        params,
        replies: { 200: discountReply, 304: undefined },
        errors: ['not-found', 'dependency-unavailable'],
      },
      async ({ params: { id } }, { principal, header }) => {
        const { headers, body } = await answer(await findOwn(id, principal));
        if (isUnchanged(header('if-none-match'), headers.ETag)) return { status: 304, headers };
        return { status: 200, headers, body };
      },
    ),
    route(
      {
        operationId: 'changeDiscount',
        method: 'patch',
        path: `${path}/:id`,
        summary: 'Switch a discount code on or off, or change its end or number of uses',
        access,
        params,
        body: discountChange,
        replies: { 200: discountReply },
        errors: [
          'not-found',
          'version-conflict',
          'precondition-required',
          'dependency-unavailable',
        ],
      },
      async ({ params: { id }, body }, { principal, header }) => {
        const discount = await findOwn(id, principal);
        requireVersion(header('if-match'), discount.version);
        const change: DiscountChange = withoutUndefined(body);
        refuseImpossible(discount, change);
        const changed = await discounts.store.change(discount, change);
        if (!changed) throw new AppError('version-conflict');
        discounts.cached.forget(discountKey(changed.merchantId, changed.code));
        return { status: 200, ...(await answer(changed)) };
      },
    ),
  ];
}

/** What only what is there makes wrong. */
function refuseImpossible(discount: Discount, { usesTotal, endsAt }: DiscountChange): void {
  const refuse = (field: string, message: string) => {
    throw new AppError('validation-failed', {
      message: 'The body is not valid',
      errors: [{ pointer: `/${field}`, message }],
    });
  };
  // Its uses have no numbers: nobody could say how many are left.
  if (usesTotal !== undefined && discount.usesTotal === undefined)
    refuse('usesTotal', 'this discount was made without a limit');
  if (endsAt && discount.startsAt && endsAt <= discount.startsAt)
    refuse('endsAt', 'ends before it starts');
}

/** MongoDB would keep them as null. */
function withoutUndefined<T extends object>(
  value: T,
): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
