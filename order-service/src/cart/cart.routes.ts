import { z } from 'zod';
import { AppError } from '@quicksale/shared/errors';
import { route, type Route } from '@quicksale/shared/http';
import { address, objectId } from '@quicksale/shared/orders';
import { holdId } from '@quicksale/shared/stock-ledger';
import { refusalCodes } from '../intake/refusal.ts';
import { discountCode } from '../pricing/discount-fields.ts';
import { cartReply, viewCart } from './cart-view.ts';
import { emptied, mostProducts, mostUnits, newCart, removeItem, setQuantity } from './cart.ts';
import { changeCart } from './change-cart.ts';
import { checkOut, type CheckOutDeps } from './check-out.ts';
import { checkoutAnswer, checkoutReply } from './checkout-answer.ts';
import { putItem, type PutItemDeps, type PutItemResult } from './put-item.ts';

export type CartRoutesDeps = CheckOutDeps & PutItemDeps;

const access = ['CUSTOMER'] as const;
const quantity = z.number().int().min(1).max(mostUnits);
const params = z.object({ productId: objectId });

const newItem = z.strictObject({
  productId: objectId,
  quantity,
  /** Units that were put aside for this buyer: the order takes them. */
  holdId: holdId.optional(),
});

const checkoutBody = z.strictObject({
  shippingAddress: address.optional(),
  billingAddress: address.optional(),
  /** For each sale its own: a merchant's codes are good for his products alone. */
  discountCodes: z
    .record(z.string().regex(/^[0-9a-f]{24}$/, 'must be the id of a sale'), discountCode)
    .optional(),
});

/** The cart of whoever asks: there is no other one. */
export function cartRoutes(deps: CartRoutesDeps): Route[] {
  return [
    route(
      {
        operationId: 'readCart',
        method: 'get',
        path: '/api/cart',
        summary: 'Read your cart, with the prices and the stock of this moment',
        access,
        replies: { 200: cartReply },
        errors: ['dependency-unavailable'],
      },
      async (_input, { principal: { userId } }) => {
        const cart = (await deps.carts.read(userId)) ?? newCart(userId);
        return { status: 200, body: await viewCart(deps, cart) };
      },
    ),
    route(
      {
        operationId: 'putCartItem',
        method: 'post',
        path: '/api/cart/items',
        summary: 'Put units of a product into your cart; they add up',
        access,
        body: newItem,
        replies: { 200: cartReply, 201: cartReply },
        errors: [
          'unknown-product',
          'hold-gone',
          'cart-limit-reached',
          'sale-fenced',
          'dependency-unavailable',
        ],
      },
      async ({ body }, { principal: { userId } }) => {
        const { holdId: hold, ...item } = body;
        const result = await putItem(deps, { userId, ...item, ...(hold && { holdId: hold }) });
        if (result.status !== 'added' && result.status !== 'merged') throw notPut(result);
        const cart = await viewCart(deps, result.cart);
        return result.status === 'added'
          ? { status: 201, body: cart }
          : { status: 200, body: cart };
      },
    ),
    route(
      {
        operationId: 'setCartItem',
        method: 'put',
        path: '/api/cart/items/:productId',
        summary: 'Set how many units of a product are in your cart',
        access,
        params,
        body: z.strictObject({ quantity }),
        replies: { 200: cartReply },
        errors: ['not-found', 'dependency-unavailable'],
      },
      async ({ params: { productId }, body }, { principal: { userId } }) => {
        const { cart } = await changeCart(deps, userId, (found) => {
          const changed = setQuantity(found, productId, body.quantity);
          return changed ? { status: 'set', cart: changed } : { status: 'absent' };
        });
        if (!cart) throw new AppError('not-found', { message: 'It is not in your cart' });
        return { status: 200, body: await viewCart(deps, cart) };
      },
    ),
    route(
      {
        operationId: 'removeCartItem',
        method: 'delete',
        path: '/api/cart/items/:productId',
        summary: 'Take a product off your cart; one that is not in it is no error',
        access,
        params,
        replies: { 204: undefined },
        errors: ['dependency-unavailable'],
      },
      async ({ params: { productId } }, { principal: { userId } }) => {
        await changeCart(deps, userId, (cart) => ({
          status: 'removed',
          cart: removeItem(cart, productId),
        }));
        return { status: 204 };
      },
    ),
    route(
      {
        operationId: 'emptyCart',
        method: 'delete',
        path: '/api/cart',
        summary: 'Empty your cart',
        access,
        replies: { 204: undefined },
        errors: ['dependency-unavailable'],
      },
      async (_input, { principal: { userId } }) => {
        await changeCart(deps, userId, (cart) => ({ status: 'emptied', cart: emptied(cart) }));
        return { status: 204 };
      },
    ),
    checkoutRoute(deps),
  ];
}

/** POST /api/cart/checkout. */
function checkoutRoute(deps: CheckOutDeps): Route {
  return route(
    {
      operationId: 'checkOutCart',
      method: 'post',
      path: '/api/cart/checkout',
      summary: 'Order what is in your cart: one order for each sale, at the prices that you know',
      access,
      body: checkoutBody.optional(),
      idempotent: 'stored',
      replies: { 201: checkoutReply },
      errors: [
        'cart-empty',
        'price-changed',
        'cart-limit-reached',
        'request-in-progress',
        'order-being-recorded',
        ...refusalCodes,
      ],
    },
    async ({ body }, { principal: { userId }, idempotencyKey: key }) => {
      const result = await checkOut(deps, { userId, key, body: body ?? {} });
      return { status: 201, body: checkoutAnswer(result) };
    },
  );
}

function notPut(result: Exclude<PutItemResult, { status: 'added' | 'merged' }>): AppError {
  switch (result.status) {
    case 'unknown_product':
      return new AppError('unknown-product');
    case 'hold_gone':
      return new AppError('hold-gone');
    case 'too_many_products':
      return new AppError('cart-limit-reached', {
        message: `A cart takes ${mostProducts} products`,
        extensions: { most: mostProducts },
      });
    case 'too_many_units':
      return new AppError('cart-limit-reached', {
        message: `A cart takes ${mostUnits} units of a product; ${result.inCart} are in it`,
        extensions: { most: mostUnits },
      });
    case 'other_hold':
      return new AppError('cart-limit-reached', {
        message: `An order takes one hold of a sale, and product ${result.productId} names another`,
        extensions: { most: 1 },
      });
  }
}
