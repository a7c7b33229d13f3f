import { z } from 'zod';
import { AppError } from '@quicksale/shared/errors';
import { entityTag, isUnchanged, requireVersion, route, type Route } from '@quicksale/shared/http';
import { money, toWire } from '@quicksale/shared/money';
import type { Clock } from '@quicksale/shared/process';
import { merchantQuery, percent } from './discount-fields.ts';
import { merchantOf } from './merchant-of.ts';
import type { MerchantSettings, MerchantSettingsStore } from './merchant-settings.ts';
import type { ReadThrough } from './read-through.ts';

export interface SettingsRoutesDeps {
  clock: Clock;
  settings: {
    store: MerchantSettingsStore;
    /** What intake goes by. */
    cached: Pick<ReadThrough<MerchantSettings>, 'forget'>;
  };
}

const path = '/api/merchant/settings';

const settingsBody = z.strictObject({
  /** Percent of the goods after the discount. */
  taxRatePercent: percent,
  shipping: z.strictObject({ flat: money, freeFrom: money.optional() }),
});

const settingsReply = z
  .object({
    merchantId: z.string(),
    taxRatePercent: z.number(),
    shipping: z.object({ flat: z.number(), freeFrom: z.number().optional() }),
    version: z.number().int(),
    updatedAt: z.iso.datetime().nullable(),
  })
  .meta({ id: 'MerchantSettings' });

const settingsView = ({ merchantId, taxRate, shipping, version, updatedAt }: MerchantSettings) => ({
  merchantId,
  taxRatePercent: taxRate / 100,
  shipping: {
    flat: toWire(shipping.flat),
    ...(shipping.freeFrom !== undefined && { freeFrom: toWire(shipping.freeFrom) }),
  },
  version,
  updatedAt: updatedAt?.toISOString() ?? null,
});

/** What a merchant adds to prices. Other processes go by a change within a minute. */
export function settingsRoutes({ clock, settings }: SettingsRoutesDeps): Route[] {
  return [
    route(
      {
        operationId: 'readMerchantSettings',
        method: 'get',
        path,
        summary: 'Read your tax rate and shipping rule',
        access: ['MERCHANT', 'ADMIN'],
        query: merchantQuery,
        replies: { 200: settingsReply, 304: undefined },
        errors: ['not-found', 'dependency-unavailable'],
      },
      async ({ query }, { principal, header }) => {
        const found = await settings.store.read(merchantOf(principal, query.merchantId));
        const headers = { ETag: entityTag(found.version) };
        if (isUnchanged(header('if-none-match'), headers.ETag)) return { status: 304, headers };
        return { status: 200, headers, body: settingsView(found) };
      },
    ),
    route(
      {
        operationId: 'setMerchantSettings',
        method: 'put',
        path,
        summary: 'Set your tax rate and shipping rule',
        access: ['MERCHANT', 'ADMIN'],
        query: merchantQuery,
        body: settingsBody,
        replies: { 200: settingsReply },
        errors: [
          'not-found',
          'version-conflict',
          'precondition-required',
          'dependency-unavailable',
        ],
      },
      async ({ query, body: { taxRatePercent, shipping } }, { principal, header }) => {
        const merchantId = merchantOf(principal, query.merchantId);
        const before = await settings.store.read(merchantId);
        requireVersion(header('if-match'), before.version);
        const { flat, freeFrom } = shipping;
        const changed = {
          merchantId,
          taxRate: taxRatePercent,
          shipping: { flat, ...(freeFrom !== undefined && { freeFrom }) },
          version: before.version + 1,
          updatedAt: new Date(clock.now()),
        };
        if (!(await settings.store.write(changed))) throw new AppError('version-conflict');
        settings.cached.forget(merchantId);
        return {
          status: 200,
          headers: { ETag: entityTag(changed.version) },
          body: settingsView(changed),
        };
      },
    ),
  ];
}
