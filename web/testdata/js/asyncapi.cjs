// Reads an AsyncAPI document with the parser that the AsyncAPI project publishes.
const { readFileSync } = require('node:fs');
const { Parser } = require('@asyncapi/parser');

new Parser().parse(readFileSync(process.argv[2], 'utf8')).then(({ document, diagnostics }) => {
  for (const d of diagnostics) console.log(d.code, d.path.join('.'), d.message);
  if (!document || diagnostics.length || !document.operations().all().length) process.exit(1);
});
