// Runs tedious for the tests: one JSON request a line on stdin, one JSON answer a line on stdout.
const { Connection, Request, TYPES } = require('tedious');
const readline = require('readline');

let connection;

const shown = value => {
  if (Buffer.isBuffer(value)) return { hex: value.toString('hex') };
  if (value instanceof Date) return { date: value.toISOString() };
  return value;
};

const failed = error => {
  const one = error.errors && error.errors.length ? error.errors[error.errors.length - 1] : error;
  return { error: { number: one.number ?? null, code: error.code ?? null, message: one.message } };
};

const bound = (request, parameters) => {
  for (const { name, type, value, output, options } of parameters || []) {
    const given = value && value.hex !== undefined ? Buffer.from(value.hex, 'hex') : value;
    const add = output ? 'addOutputParameter' : 'addParameter';
    request[add](name, TYPES[type], given, options);
  }
};

const run = (how, asked) => new Promise(resolve => {
  const results = [], messages = [], outputs = {};
  const note = info => messages.push({ number: info.number, message: info.message });
  connection.on('infoMessage', note);
  const request = new Request(asked.text, (error, count) => {
    connection.off('infoMessage', note);
    resolve(error ? { ...failed(error), results, messages } : { results, messages, outputs, count });
  });
  request.on('columnMetadata', columns => results.push({ columns: columns.map(one => one.colName), rows: [] }));
  request.on('row', columns => results[results.length - 1].rows.push(columns.map(one => shown(one.value))));
  request.on('returnValue', (name, value) => { outputs[name] = shown(value); });
  bound(request, asked.parameters);
  connection[how](request);
  if (asked.cancelAfter !== undefined) setTimeout(() => connection.cancel(), asked.cancelAfter);
});

const prepared = asked => new Promise(resolve => {
  const results = [];
  let rows = [];
  const request = new Request(asked.text, error => {
    if (error) { resolve({ ...failed(error), results }); return; }
    results.push(rows);
    rows = [];
    const next = asked.values[results.length];
    if (next === undefined) connection.unprepare(request);
    else connection.execute(request, next);
  });
  for (const { name, type } of asked.parameters) request.addParameter(name, TYPES[type]);
  request.on('row', columns => rows.push(columns.map(one => shown(one.value))));
  request.on('prepared', () => connection.execute(request, asked.values[0]));
  let ended = false;
  const original = request.userCallback;
  request.userCallback = (...args) => {
    if (!ended && results.length >= asked.values.length) { ended = true; resolve({ results }); return; }
    original(...args);
  };
  connection.prepare(request);
});

const loaded = asked => new Promise(resolve => {
  const load = connection.newBulkLoad(asked.table, { keepNulls: true }, (error, count) =>
    resolve(error ? failed(error) : { count }));
  for (const { name, type, options } of asked.columns) load.addColumn(name, TYPES[type], { nullable: true, ...options });
  connection.execBulkLoad(load, asked.rows);
});

const transaction = (how, name) => new Promise(resolve => {
  connection[how](error => resolve(error ? failed(error) : {}), name || '');
});

const commands = {
  connect: asked => new Promise(resolve => {
    connection = new Connection(asked.config);
    connection.on('error', () => {});
    connection.connect(error => resolve(error ? failed(error) : {}));
  }),
  batch: asked => run('execSqlBatch', asked),
  sql: asked => run('execSql', asked),
  procedure: asked => run('callProcedure', asked),
  prepared,
  bulk: loaded,
  begin: () => transaction('beginTransaction'),
  commit: () => transaction('commitTransaction'),
  rollback: () => transaction('rollbackTransaction'),
  reset: () => new Promise(resolve => connection.reset(error => resolve(error ? failed(error) : {}))),
  close: () => new Promise(resolve => {
    if (!connection || connection.closed) { resolve({}); return; }
    connection.on('end', () => resolve({}));
    connection.close();
  }),
};

const lines = readline.createInterface({ input: process.stdin });
let queue = Promise.resolve();
lines.on('line', line => {
  queue = queue.then(async () => {
    const asked = JSON.parse(line);
    let answer;
    try {
      answer = await commands[asked.do](asked);
    } catch (error) {
      answer = failed(error);
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  });
});
lines.on('close', () => process.exit(0));
