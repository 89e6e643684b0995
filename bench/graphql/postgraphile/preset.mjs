// PostGraphile 5 as its documentation recommends for production (postgraphile.org/postgraphile/5/production):
// NODE_ENV=production and GRAPHILE_ENV=production, no development helpers (GraphiQL, watching, explaining, extended errors), a
// connection pool of its own, prepared statements on, the grafast and parse caches at their defaults. The plugins are those its
// documentation names for short names, filters and aggregates.
//
// The tables carry no foreign keys (they are to be distributed), so their relations are told by smart tags. Columns that only the
// resolvers of ours would compute (typed ids) are not asked for: the rows' own UUIDs are.
import { PgAggregatesPreset } from "@graphile/pg-aggregates";
import { PgSimplifyInflectionPreset } from "@graphile/simplify-inflection";
import { makePgService } from "postgraphile/adaptors/pg";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { PostGraphileConnectionFilterPreset } from "postgraphile-plugin-connection-filter";
import { makeJSONPgSmartTagsPlugin } from "postgraphile/utils";

const ofCustomer = "(customer_id) references customer (customer_id)";
const ofSource = "(source_id) references source (source_id)";
const related = (...foreignKey) => ({ tags: { foreignKey } });

const relations = makeJSONPgSmartTagsPlugin({
  version: 1,
  config: {
    class: {
      "public.customer_identifier": related(ofCustomer, ofSource),
      "public.profile": related(ofCustomer, ofSource),
      "public.account": related(ofCustomer),
      "public.sales_order": related(ofCustomer),
      "public.order_line": related("(customer_id, order_id) references sales_order (customer_id, order_id)"),
      "public.shipment": related("(customer_id, order_id) references sales_order (customer_id, order_id)"),
      "public.interaction": related(ofCustomer),
      "public.ledger_entry": related("(customer_id, account_id) references account (customer_id, account_id)"),
    },
  },
});

export const preset = {
  extends: [
    PostGraphileAmberPreset,
    PgSimplifyInflectionPreset,
    PostGraphileConnectionFilterPreset,
    PgAggregatesPreset,
  ],
  plugins: [relations],
  pgServices: [
    makePgService({
      connectionString: process.env.BENCH_DATABASE_URL,
      schemas: ["public"],
      poolConfig: { max: 20 },
      pubsub: false,
    }),
  ],
  grafast: { explain: false },
  grafserv: { graphiql: false, watch: false, graphqlPath: "/graphql", dangerouslyAllowAllCORSRequests: false },
};
