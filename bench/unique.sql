\set account random(1, 1000000)
\set nonce random(1, 1000000000)
\set other random(1, 1000000000)
SELECT abalance, :nonce AS nonce, 'order :other' AS note FROM pgbench_accounts WHERE aid = :account AND bid <> :other;
