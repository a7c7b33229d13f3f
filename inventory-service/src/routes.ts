import type { Route } from '@quicksale/shared/http';
import { auditRoutes, type AuditRoutesDeps } from './audit/audit.routes.ts';
import { holdRoutes, type HoldRoutesDeps } from './holds/holds.routes.ts';
import type { ListDeps } from './products/list-products.ts';
import {
  productChangeRoutes,
  type ProductChangeRoutesDeps,
} from './products/product-change.routes.ts';
import { productListRoutes } from './products/product-list.routes.ts';
import { productRoutes, type ProductRoutesDeps } from './products/products.routes.ts';
import type { AdvanceDeps } from './sales/advance-sale.ts';
import type { CreateSaleDeps } from './sales/create-sale.ts';
import { saleChangeRoutes } from './sales/sale-change.routes.ts';
import { saleRoutes } from './sales/sales.routes.ts';
import { movementRoutes, type MovementRoutesDeps } from './stock/movements.routes.ts';
import type { SetStockDeps } from './stock/set-stock.ts';
import { stockRoutes } from './stock/stock.routes.ts';

export type PublicRoutesDeps = ListDeps &
  ProductRoutesDeps &
  ProductChangeRoutesDeps &
  MovementRoutesDeps &
  SetStockDeps &
  CreateSaleDeps &
  AdvanceDeps &
  AuditRoutesDeps &
  HoldRoutesDeps;

/** What everybody may call; it is also this service's part of the API docs. */
export const publicRoutes = (deps: PublicRoutesDeps): Route[] => [
  ...productListRoutes(deps),
  ...productRoutes(deps),
  ...productChangeRoutes(deps),
  ...movementRoutes(deps),
  ...stockRoutes(deps),
  ...saleRoutes(deps),
  ...saleChangeRoutes(deps),
  ...auditRoutes(deps),
  ...holdRoutes(deps),
];
