export type { Catalogue, CatalogueProduct } from './catalogue.ts';
export { createMongoCatalogue } from './mongo-catalogue.ts';
