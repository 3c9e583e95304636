// A receiver of webhooks as the documentation of two libraries shows it. It prints
// its port, then one line of JSON for each request: what each library says.
import { createServer } from "node:http";
import { createRequire } from "node:module";

const [modules, secret] = process.argv.slice(2);
const require = createRequire(modules + "/");
const libraries = {
  standardwebhooks: new (require("standardwebhooks").Webhook)(secret),
  svix: new (require("svix").Webhook)(secret),
};

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  const says = {};
  for (const [name, library] of Object.entries(libraries)) {
    try {
      // One library gives the payload back, the other only does not throw.
      says[name] = ((await library.verify(body, request.headers)) ?? JSON.parse(body)).id;
    } catch (error) {
      says[name] = "refused: " + error.message;
    }
  }
  const fine = Object.values(says).every((id) => id === request.headers["webhook-id"]);
  response.writeHead(fine ? 204 : 400).end();
  console.log(JSON.stringify(says));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit()).resume(); // ends with the test
