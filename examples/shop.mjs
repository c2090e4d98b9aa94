// A shop: creates an order and prints its events from the stream. node shop.mjs URL KEY
const [url, key] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/json" };

async function call(path, body) {
  const answer = await fetch(url + path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

const { next } = await call("/v1/events?after=latest"); // store it, and continue there after a restart
const order = await call("/v1/orders", {
  reference: "1042",
  pickup: { lat: 60.1713, lon: 24.944, address: "Rautatientori" },
  dropoff: { lat: 60.1666, lon: 24.9486, address: "Kasarmikatu 36" },
  customer: { name: "Maija" },
});
console.log("link", order.tracking_url);
const stream = await fetch(`${url}/v1/events/stream?after=${next}`, { headers });
let text = "";
for await (const chunk of stream.body.pipeThrough(new TextDecoderStream())) {
  text += chunk;
  const blocks = text.split("\n\n");
  text = blocks.pop();
  for (const line of blocks.flatMap((block) => block.split("\n")).filter((line) => line.startsWith("data: "))) {
    const event = JSON.parse(line.slice(6));
    if (event.data.order?.id !== order.id) continue;
    console.log(event.type, event.data.order.status);
    if (["order.delivered", "order.failed", "order.cancelled"].includes(event.type)) process.exit(0);
  }
}
