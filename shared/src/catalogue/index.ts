export type { Catalogue, CatalogueProduct } from './catalogue.ts';
export { saleOfItems, type SaleOfItems } from './sale-of-items.ts';
export { createMongoCatalogue } from './mongo-catalogue.ts';
