-- The shop's tables. They belong to `app`, the role that the gateway logs in with: whatever is refused in the demo is
-- refused by the gateway, since the database itself would allow it.
CREATE TABLE customers (
  id    integer PRIMARY KEY,
  name  text NOT NULL,
  email text NOT NULL,
  phone text NOT NULL,
  iban  text NOT NULL,
  ssn   text NOT NULL,
  since date NOT NULL
);
CREATE TABLE cards (
  customer_id integer NOT NULL REFERENCES customers,
  number      text PRIMARY KEY,
  expires     date NOT NULL
);
CREATE TABLE orders (
  id          integer PRIMARY KEY,
  customer_id integer NOT NULL REFERENCES customers,
  card_number text NOT NULL REFERENCES cards,
  total       numeric(10, 2) NOT NULL,
  status      text NOT NULL,
  note        text NOT NULL,
  placed_at   timestamptz NOT NULL
);
CREATE INDEX ON orders (customer_id);
ALTER TABLE customers OWNER TO app;
ALTER TABLE cards OWNER TO app;
ALTER TABLE orders OWNER TO app;
