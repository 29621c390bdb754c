// The hub's JSON as this page uses it, from the contract schemas/openapi.yaml.

import type {
  CityCellJSON, CitySeriesJSON, CitySummaryJSON, MapGeometryJSON, MapHeadJSON, MapLayerJSON, MapValuesJSON,
} from '../shared/openapi.ts';

export type {
  AlarmJSON, CellClass, CellMeter, CityPoint, ComponentDetail, ComponentJSON, ConsumptionTodayRow, Flow, IndicatorRowJSON, CasePage,
  AssetPageComponentJSON,
} from '../shared/openapi.ts';

export type Head = MapHeadJSON;
export type TileLayer = MapLayerJSON;
export type GeometryFile = MapGeometryJSON;
export type Values = MapValuesJSON;
export type Summary = CitySummaryJSON;
export type Series = CitySeriesJSON;
export type Cell = CityCellJSON;
