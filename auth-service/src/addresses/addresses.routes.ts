import { z } from 'zod';
import { route, type Route } from '@quicksale/shared/http';
import { address, objectId } from '@quicksale/shared/orders';
import type { Clock, Random } from '@quicksale/shared/process';
import {
  withAddress,
  withChangedAddress,
  withoutAddress,
  type AddressStore,
} from './address-book.ts';

const newAddress = address
  .extend({ label: z.string().trim().min(1).max(50).optional() })
  .meta({ id: 'NewAddress' });
const keptAddress = newAddress.extend({ id: z.string() }).meta({ id: 'KeptAddress' });

const path = '/api/users/me/addresses';
const params = z.object({ id: objectId });

export interface AddressesRoutesDeps {
  addresses: AddressStore;
  clock: Clock;
  random: Random;
}

/** The addresses that somebody keeps for their next orders: their own and nobody else's. */
export function addressesRoutes({
  addresses,
  clock,
  random,
}: AddressesRoutesDeps): readonly Route[] {
  return [
    route(
      {
        operationId: 'listAddresses',
        method: 'get',
        path,
        summary: 'Your addresses',
        access: 'signed-in',
        replies: {
          200: z
            .object({
              data: z.array(keptAddress),
              page: z.object({ next: z.string().nullable() }),
            })
            .meta({ id: 'AddressList' }),
        },
      },
      async (_input, { principal }) => {
        const book = await addresses.read(principal.userId);
        return { status: 200, body: { data: [...book], page: { next: null } } };
      },
    ),
    route(
      {
        operationId: 'addAddress',
        method: 'post',
        path,
        summary: 'Keep an address, of at most 20',
        access: 'signed-in',
        body: newAddress,
        replies: { 201: keptAddress },
      },
      async ({ body }, { principal }) => {
        const added = { id: random.objectId(clock.now()), ...body };
        await addresses.change(principal.userId, (book) => withAddress(book, added));
        return { status: 201, headers: { Location: `${path}/${added.id}` }, body: added };
      },
    ),
    route(
      {
        operationId: 'changeAddress',
        method: 'put',
        path: `${path}/:id`,
        summary: 'Write an address anew',
        access: 'signed-in',
        params,
        body: newAddress,
        replies: { 200: keptAddress },
        errors: ['not-found'],
      },
      async ({ params: { id }, body }, { principal }) => {
        const changed = { id, ...body };
        await addresses.change(principal.userId, (book) => withChangedAddress(book, changed));
        return { status: 200, body: changed };
      },
    ),
    route(
      {
        operationId: 'removeAddress',
        method: 'delete',
        path: `${path}/:id`,
        summary: 'Forget an address; orders keep theirs',
        access: 'signed-in',
        params,
        replies: { 204: undefined },
        errors: ['not-found'],
      },
      async ({ params: { id } }, { principal }) => {
        await addresses.change(principal.userId, (book) => withoutAddress(book, id));
        return { status: 204 };
      },
    ),
  ];
}
