import { z } from 'zod';
import { AppError } from '@quicksale/shared/errors';
import { route, type Route } from '@quicksale/shared/http';
import { receiveEvent, type ReceiveEventDeps } from './receive-event.ts';

/** Where a provider tells its news. Its signature over the raw body is the credential. */
export function paymentWebhookRoutes(deps: ReceiveEventDeps): Route[] {
  return [
    route(
      {
        operationId: 'receivePaymentEvent',
        method: 'post',
        path: '/api/payments/webhook/:provider',
        summary: 'For payment providers: news of a payment, signed',
        access: 'public',
        params: z.object({ provider: z.string() }),
        rawBody: true,
        replies: { 200: z.object({ received: z.boolean() }) },
        errors: [
          'webhook-signature-invalid',
          'payload-too-large',
          'not-found',
          'dependency-unavailable',
        ],
      },
      async ({ params, body }, { header }) => {
        if (params.provider !== deps.provider.name) throw new AppError('not-found');
        await receiveEvent(deps, deps.provider.readEvent(body, header));
        return { status: 200, body: { received: true } };
      },
    ),
  ];
}
