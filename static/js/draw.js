// What is drawn on the pad, by mouse, finger or pen, is sent as a picture when the hand rests. The
// answer is the one that the page of a result shows, and follows the queue by itself.

const RESTED = 600; // ms without a new stroke
const ANSWERED = 150; // ms, by which most answers are there
const PEN = 1 / 16; // of the pad's side
const form = document.querySelector("#drawing");
const pad = document.querySelector("#pad");
const shown = document.querySelector("#shown");
const undo = document.querySelector("#undo");
const clear = document.querySelector("#clear");
const context = pad.getContext("2d");
const strokes = [];
let drawing = 0; // goes up with every change: what was sent before it is of no interest any more
let timer;

// Black on white whatever the theme, which is what is sent; the stylesheet inverts it in the dark.
function paint() {
  context.fillStyle = "white";
  context.fillRect(0, 0, pad.width, pad.height);
  context.lineWidth = PEN * pad.width;
  context.lineCap = context.lineJoin = "round";
  for (const points of strokes) {
    context.beginPath();
    for (const point of [points[0], ...points]) {
      context.lineTo(...point);
    }
    context.stroke();
  }
  undo.disabled = clear.disabled = !strokes.length;
}

function place({ offsetX, offsetY }) {
  return [(offsetX * pad.width) / pad.clientWidth, (offsetY * pad.height) / pad.clientHeight];
}

function change() {
  drawing += 1;
  clearTimeout(timer);
  form.dataset.when = "";
  paint();
}

function rest() {
  if (strokes.length) {
    timer = setTimeout(send, RESTED);
  } else {
    shown.replaceChildren();
  }
}

async function send() {
  const sent = drawing;
  const body = new FormData(form);
  body.append("image", await new Promise((resolve) => pad.toBlob(resolve)), "drawing.png");
  const [problem, address] = await post(body);
  if (sent === drawing) {
    form.dataset.when = problem;
    if (address) {
      timer = setTimeout(show, ANSWERED, address);
    }
  }
}

// What went wrong, if anything did, and the address of the answer.
async function post(body) {
  try {
    const headers = { "HX-Request": "true" };
    const answer = await fetch(form.action, { method: "POST", headers, body });
    if (answer.status !== 201) {
      return ["unanswered"];
    }
    const card = new DOMParser().parseFromString(await answer.text(), "text/html");
    return ["", card.querySelector(".card-link").getAttribute("href")];
  } catch {
    return ["unsent"];
  }
}

function show(address) {
  window.htmx.ajax("GET", address, { target: shown, swap: "innerHTML" });
}

pad.addEventListener("pointerdown", (event) => {
  if (event.isPrimary && event.button === 0) {
    pad.setPointerCapture(event.pointerId);
    strokes.push([place(event)]);
    change();
  }
});
pad.addEventListener("pointermove", (event) => {
  if (pad.hasPointerCapture(event.pointerId)) {
    strokes.at(-1).push(place(event));
    change();
  }
});
pad.addEventListener("lostpointercapture", rest);
undo.addEventListener("click", () => {
  strokes.pop();
  change();
  rest();
});
clear.addEventListener("click", () => {
  strokes.length = 0;
  change();
  rest();
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
paint();
