import { z } from 'zod';
import { AppError } from '@quicksale/shared/errors';
import { route, type Route } from '@quicksale/shared/http';
import { objectId } from '@quicksale/shared/orders';
import type { Clock, Random } from '@quicksale/shared/process';
import type { PaymentProvider } from './payment-provider.ts';
import type { MethodStore, StoredMethod } from './payment-store.ts';

export interface MethodRoutesDeps {
  methods: MethodStore;
  provider: Pick<PaymentProvider, 'saveMethod' | 'removeMethod'>;
  clock: Clock;
  random: Random;
}

/** What a provider's page made of a card. A card number is refused: it must never get here. */
export const methodToken = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,100}$/, 'must be a token of the payment provider')
  .refine((token) => !/^[\d-]{8,23}$/.test(token), 'must be a token, never a card number');

const methodReply = z
  .object({ id: z.string(), brand: z.string(), last4: z.string(), createdAt: z.iso.datetime() })
  .meta({ id: 'PaymentMethod' });

const view = ({ id, brand, last4, createdAt }: StoredMethod) => ({
  ...{ id, brand, last4 },
  createdAt: createdAt.toISOString(),
});

/** A buyer's stored methods. Of a card only brand and last four digits are known here. */
export function paymentMethodRoutes(deps: MethodRoutesDeps): Route[] {
  const path = '/api/payments/methods';
  const { methods } = deps;
  return [
    route(
      {
        operationId: 'listPaymentMethods',
        method: 'get',
        path,
        summary: 'List the payment methods that you have stored',
        access: 'signed-in',
        replies: { 200: z.object({ data: z.array(methodReply) }) },
      },
      async (_input, { principal }) => ({
        status: 200,
        body: { data: (await methods.listOwn(principal.userId)).map(view) },
      }),
    ),
    route(
      {
        operationId: 'storePaymentMethod',
        method: 'post',
        path,
        summary: 'Store a payment method by its token',
        access: 'signed-in',
        body: z.strictObject({ token: methodToken }),
        replies: { 201: methodReply },
        errors: ['dependency-unavailable'],
      },
      async ({ body: { token } }, { principal: { userId } }) => {
        const saved = await deps.provider.saveMethod({ userId, token });
        const now = deps.clock.now();
        const { brand, last4 } = saved;
        const stored = await methods.add({
          ...{ id: deps.random.objectId(now), userId, token: saved.token, brand, last4 },
          createdAt: new Date(now),
        });
        return { status: 201, body: view(stored) };
      },
    ),
    route(
      {
        operationId: 'removePaymentMethod',
        method: 'delete',
        path: `${path}/:id`,
        summary: 'Remove a payment method that you have stored',
        access: 'signed-in',
        params: z.object({ id: objectId }),
        replies: { 204: undefined },
        errors: ['not-found', 'dependency-unavailable'],
      },
      async ({ params: { id } }, { principal: { userId } }) => {
        const stored = await methods.findOwn(userId, id);
        if (!stored) throw new AppError('not-found', { message: 'You have stored no such method' });
        await deps.provider.removeMethod({ userId, token: stored.token });
        await methods.remove(userId, id);
        return { status: 204 };
      },
    ),
  ];
}
