import type Stripe from 'stripe';
import { AppError } from '@quicksale/shared/errors';
import type { PaymentProvider, ProviderMethod } from '../payment-provider.ts';
import type { AskStripe } from './ask-stripe.ts';

interface Owned {
  userId: string;
  token: string;
}

interface StripeMethods {
  /** A method that this user may pay with: a new one, or one that is stored for this user. */
  require: (method: Owned) => Promise<{ customerId: string | undefined }>;
  save: PaymentProvider['saveMethod'];
  remove: PaymentProvider['removeMethod'];
}

/** Stored methods belong to a customer of Stripe, and a customer to a user, by its metadata. */
export function createStripeMethods(stripe: Stripe, ask: AskStripe): StripeMethods {
  const read = async (token: string): Promise<Stripe.PaymentMethod | undefined> => {
    // It becomes part of an address.
    if (!/^[A-Za-z0-9_]{1,255}$/.test(token)) return undefined;
    const found = await ask<Stripe.PaymentMethod | null>(
      () => stripe.paymentMethods.retrieve(token, { expand: ['customer'] }),
      // Whatever is wrong with a token: it names nothing that can be used.
      () => null,
    );
    return found ?? undefined;
  };

  /** Somebody else's method does not exist. */
  const readUsable = async ({ userId, token }: Owned): Promise<Stripe.PaymentMethod> => {
    const method = await read(token);
    if (!method || (method.customer !== null && !belongsTo(method, userId))) throw noSuchMethod();
    return method;
  };

  const requireCustomer = async (userId: string): Promise<string> => {
    const query = `metadata['userId']:'${userId}'`;
    const { data } = await ask(() => stripe.customers.search({ query, limit: 10 }));
    const known = data.find(({ metadata }) => metadata.userId === userId);
    if (known) return known.id;
    // The search lags by a minute, in which the key tells which customer was made.
    const made = await ask(() =>
      stripe.customers.create({ metadata: { userId } }, { idempotencyKey: `customer-${userId}` }),
    );
    return made.id;
  };

  return {
    require: async (owned) => ({ customerId: customerIdOf(await readUsable(owned)) }),

    save: async (owned) => {
      const method = await readUsable(owned);
      if (method.customer !== null) return toProviderMethod(method);
      const customer = await requireCustomer(owned.userId);
      const attached = await ask(
        () => stripe.paymentMethods.attach(owned.token, { customer }),
        async () => {
          // A twin of this request may have been faster.
          const now = await readUsable(owned);
          if (now.customer === null) throw noSuchMethod();
          return now as Stripe.Response<Stripe.PaymentMethod>;
        },
      );
      return toProviderMethod(attached);
    },

    remove: async ({ userId, token }) => {
      const method = await read(token);
      if (!method || !belongsTo(method, userId)) return;
      await ask<unknown>(
        () => stripe.paymentMethods.detach(token),
        // A twin of this request may have been faster.
        async () => {
          const now = await read(token);
          return now && belongsTo(now, userId) ? undefined : null;
        },
      );
    },
  };
}

const noSuchMethod = () =>
  new AppError('validation-failed', { message: 'There is no such payment method' });

function belongsTo({ customer }: Stripe.PaymentMethod, userId: string): boolean {
  if (customer === null || typeof customer === 'string' || customer.deleted) return false;
  return customer.metadata.userId === userId;
}

const customerIdOf = ({ customer }: Stripe.PaymentMethod): string | undefined =>
  typeof customer === 'string' ? customer : customer?.id;

const toProviderMethod = ({ id, type, card }: Stripe.PaymentMethod): ProviderMethod => ({
  token: id,
  brand: card?.brand ?? type,
  last4: card?.last4 ?? '',
});
