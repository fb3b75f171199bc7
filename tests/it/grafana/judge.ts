// Grafana's own types, which a dashboard has to satisfy.
import type { AnnotationTarget, Dashboard } from "@grafana/schema";
import type * as Heatmap from "@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen";
import type * as Stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as Table from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type * as TimeSeries from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

// In JSON the values of an enum are strings and numbers.
type Plain<T> = T extends string
  ? `${T}`
  : T extends number
    ? `${T}` extends `${infer N extends number}` ? N : T
    : T extends object
      ? { [K in keyof T]: Plain<T[K]> }
      : T;

// The package has the target of an annotation's query as any data source's query; what Grafana stores is this.
type Annotation = Omit<NonNullable<NonNullable<Dashboard["annotations"]>["list"]>[number], "target"> & {
  target?: AnnotationTarget;
};
type DashboardFile = Plain<Omit<Dashboard, "annotations">> & { annotations: { list: Annotation[] } };

type Options = {
  heatmap: Plain<Heatmap.Options>;
  stat: Plain<Stat.Options>;
  table: Plain<Table.Options>;
  timeseries: Plain<TimeSeries.Options>;
};
type Custom = {
  heatmap: Plain<Heatmap.FieldConfig>;
  stat: Record<string, never>;
  table: Record<string, never>;
  timeseries: Plain<TimeSeries.FieldConfig>;
};

