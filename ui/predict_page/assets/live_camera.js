// The browser side of the live camera: shows it, sends a small picture whenever the last one is answered, and draws
// the answers in bars that keep their places.

const LONGEST = 480 // px, of what is sent; the network sees fewer
const MOST_BYTES = 30_000
const QUALITIES = [0.8, 0.65, 0.5, 0.35, 0.2]
const LEAST_INTERVAL = 200 // ms between two pictures: five a second are as many as a person can follow
const AGAIN = 3_000 // ms after which a picture is sent anew: a run of the whole page may have taken its place
const AGAIN_AT_MOST = 12_000 // ms; longer each time, so that a slow server is not interrupted again and again
const PATIENCE = 30_000 // ms for an answer, ...
const FIRST_PATIENCE = 120_000 // ... and for the first, for which the model is loaded
const RETRY = 2_000 // ms after a picture that could not be read
const TAKEN_OVER = 2_000 // ms in which a camera that was on goes on in the place that the page gives it anew

const WORDS = {
  idle: "The camera is off.",
  asking: "Allow the camera when your browser asks.",
  loading: "",
  running: "",
  paused: "Paused: the camera is off while this tab is not in front.",
  denied:
    "The camera is blocked for this page. Allow it in the browser's settings for this address (the sign beside it), " +
    "then press Start.",
  missing: "No camera was found. Connect one and press Start, or bring pictures as files.",
  busy: "The camera cannot be used just now, perhaps because another program has it. Close that and press Start.",
  insecure:
    "Browsers give the camera only to pages from https addresses or from this machine itself (localhost). This page " +
    "came by http: ask for its https address, or bring pictures as files.",
  ended: "The camera was taken away or unplugged. Press Start to try again.",
  silent: "The server does not answer. Press Start to try again.",
}
const ON = new Set(["asking", "running"])
const REASONS = { NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "missing", OverconstrainedError: "missing" }

let lost = null // when a camera that was on lost its place in the page, and which it was
const cameras = new WeakMap() // element -> Camera; Streamlit calls the function below again for every update

export default function ({ data, parentElement, setTriggerValue }) {
  let camera = cameras.get(parentElement)
  if (!camera) {
    camera = new Camera(parentElement.querySelector(".camera"))
    cameras.set(parentElement, camera)
  }
  camera.send = (frame) => setTriggerValue("frame", frame)
  camera.update(data)
  return () => {
    camera.leave()
    cameras.delete(parentElement)
  }
}

class Camera {
  constructor(root) {
    this.root = root
    const find = (selector) => root.querySelector(selector)
    this.video = find("video")
    this.cover = find(".cover")
    this.button = find(".switch")
    this.which = find(".which")
    this.select = find("select")
    this.canvas = document.createElement("canvas")
    this.bars = new Bars(find(".bars"))
    this.words = { headline: find(".headline"), detail: find(".detail"), pace: find(".pace") }
    this.quality = 0
    this.number = Date.now() // of the last picture; no answer to an earlier camera is taken for one to this
    this.drawn = this.number // of the last one that was answered, or whose answer is of no use any more
    this.waiting = null // when the question was put that is not answered yet, and how long that may take
    this.times = [] // of the last answers, in ms
    this.button.onclick = () => (ON.has(this.state) ? this.stop("idle") : this.start())
    this.select.onchange = () => this.start(this.select.value)
    this.onVisibility = () => this.visibility()
    this.onPageHide = () => this.stop("idle")
    document.addEventListener("visibilitychange", this.onVisibility)
    window.addEventListener("pagehide", this.onPageHide)
    this.show(possible() ? "idle" : "insecure")
    if (lost && performance.now() - lost.when < TAKEN_OVER) this.start(lost.device)
    lost = null
  }

  leave() {
    if (ON.has(this.state)) lost = { when: performance.now(), device: this.select.value }
    this.stop("idle")
    document.removeEventListener("visibilitychange", this.onVisibility)
    window.removeEventListener("pagehide", this.onPageHide)
  }

  visibility() {
    if (document.hidden && this.state === "running") this.stop("paused")
    else if (!document.hidden && this.state === "paused") this.start(this.select.value)
  }

  show(state, words = WORDS[state]) {
    this.state = state
    this.root.dataset.state = state
    setText(this.cover, words)
    this.cover.hidden = !words
    setText(this.button, ON.has(state) ? "Stop" : "Start")
    this.button.disabled = state === "insecure"
  }

  async start(device) {
    this.stop("asking")
    const turn = (this.turn = {}) // a later start, or a stop, takes this one's place
    const wish = device ? { deviceId: { exact: device } } : { facingMode: { ideal: "environment" } }
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: { ...wish, width: { ideal: 640 }, height: { ideal: 480 } },
      })
      if (this.turn !== turn) return end(stream)
      this.stream = stream
      stream.getVideoTracks()[0].onended = () => this.stop("ended")
      this.video.srcObject = stream
      this.video.classList.toggle("mirrored", settings(stream).facingMode === "user")
      await this.video.play()
      if (this.turn !== turn) return end(stream)
      this.show("running")
      this.offerCameras()
      this.next()
    } catch (error) {
      if (this.turn === turn) this.stop(REASONS[error.name] ?? "busy")
    }
  }

  stop(state, words) {
    this.turn = null
    clearTimeout(this.timer)
    if (this.stream) end(this.stream)
    this.stream = this.waiting = null
    this.video.srcObject = null
    this.times = []
    setText(this.words.pace, "")
    this.show(state, words)
  }

  async offerCameras() {
    const found = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput")
    if (!this.stream) return
    this.which.hidden = found.length < 2
    const names = namesOf(found)
    this.select.replaceChildren(...found.map(({ deviceId }, place) => new Option(names[place], deviceId)))
    this.select.value = settings(this.stream).deviceId
  }

  next() {
    if (this.state !== "running" || this.waiting) return
    if (!this.video.videoWidth) return this.after(100, () => this.next())
    const first = this.root.dataset.answers === undefined
    if (first) setText(this.words.pace, "Getting the model ready …")
    this.waiting = { since: performance.now(), patience: first ? FIRST_PATIENCE : PATIENCE }
    this.ask(AGAIN)
  }

  ask(again) {
    const { since, patience } = this.waiting
    if (performance.now() - since > patience) return this.stop("silent")
    this.waiting.sent = performance.now()
    this.send({ id: ++this.number, jpeg: this.picture() })
    this.after(again, () => this.ask(Math.min(2 * again, AGAIN_AT_MOST)))
  }

  after(delay, then) {
    clearTimeout(this.timer)
    this.timer = setTimeout(then, delay)
  }

  // A JPEG of at most MOST_BYTES, as base64; the quality that was low enough last time is tried first.
  picture() {
    const { videoWidth, videoHeight } = this.video
    let scale = Math.min(1, LONGEST / Math.max(videoWidth, videoHeight))
    for (;;) {
      this.canvas.width = Math.max(1, Math.round(videoWidth * scale))
      this.canvas.height = Math.max(1, Math.round(videoHeight * scale))
      this.canvas.getContext("2d").drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height)
      for (; this.quality < QUALITIES.length; this.quality++) {
        const encoded = this.canvas.toDataURL("image/jpeg", QUALITIES[this.quality]).split(",")[1]
        if (encoded.length * 0.75 <= MOST_BYTES) {
          this.root.dataset.bytes = String(Math.round(encoded.length * 0.75))
          return encoded
        }
      }
      this.quality = 0
      scale *= 0.7
    }
  }

  update({ answer, color, model, names, rows }) {
    this.root.style.setProperty("--answer", color)
    if (model !== this.model) this.forget(model)
    this.bars.prepare(names, rows)
    if (!answer || !this.waiting || answer.id <= this.drawn) return
    const { sent } = this.waiting
    this.drawn = answer.id
    this.waiting = null
    clearTimeout(this.timer)
    if (answer.error) return this.failed(answer)
    this.draw(answer)
    const now = performance.now()
    this.times = [...this.times, now].slice(-10)
    this.root.dataset.answers = String(Number(this.root.dataset.answers ?? 0) + 1)
    setText(this.words.pace, pace(this.times, now - sent))
    this.after(Math.max(0, LEAST_INTERVAL - (now - sent)), () => this.next())
  }

  // Another model is asked from now on; a picture on its way is answered by the one before, or by neither.
  forget(model) {
    this.model = model
    this.drawn = this.number
    this.bars.clear()
    delete this.root.dataset.answers
    setText(this.words.headline, "–")
    setText(this.words.detail, "")
    if (!this.waiting) return
    this.waiting = null
    this.after(LEAST_INTERVAL, () => this.next())
  }

  failed({ error, over }) {
    if (over) return this.stop("failed", error)
    setText(this.words.detail, error)
    this.after(RETRY, () => this.next())
  }

  draw({ headline, detail, bars, summary, answered }) {
    setText(this.words.headline, headline)
    this.words.headline.title = headline
    setText(this.words.detail, detail)
    this.root.dataset.answered = String(answered)
    this.bars.draw(bars, summary)
  }
}

// A class keeps its row as long as it is among the likeliest; a new one takes the row of one that no longer is.
class Bars {
  constructor(list) {
    this.list = list
    this.rows = []
  }

  prepare(names, count) {
    while (this.rows.length < count) {
      const row = new Bar()
      this.rows.push(row)
      this.list.append(row.root)
    }
    while (this.rows.length > count) this.rows.pop().root.remove()
    names.forEach((name, place) => this.rows[place].name || this.rows[place].rename(name))
  }

  clear() {
    while (this.rows.length) this.rows.pop().root.remove()
  }

  draw(bars, summary) {
    const wanted = new Map(bars.map((bar) => [bar.name, bar]))
    const free = this.rows.filter(({ name }) => !wanted.has(name))
    for (const { name } of bars) {
      if (!this.rows.some((row) => row.name === name)) free.shift()?.rename(name)
    }
    for (const row of this.rows) row.draw(wanted.get(row.name), row.name === bars[0].name)
    this.list.setAttribute("aria-label", summary)
  }
}

class Bar {
  constructor() {
    this.root = element("li", "bar")
    this.label = element("span", "name")
    this.value = element("span", "value")
    this.fill = element("div", "fill")
    const [line, track] = [element("div", "line"), element("div", "track")]
    line.append(this.label, this.value)
    track.append(this.fill)
    this.root.append(line, track)
    this.name = ""
  }

  rename(name) {
    this.name = name
    setText(this.label, name)
    this.label.title = name
  }

  draw(bar, first) {
    setText(this.value, bar?.text ?? "")
    this.fill.style.width = `${100 * (bar?.share ?? 0)}%`
    this.root.classList.toggle("first", first)
  }
}

function possible() {
  return window.isSecureContext && Boolean(navigator.mediaDevices?.getUserMedia)
}

function end(stream) {
  for (const track of stream.getTracks()) {
    track.onended = null
    track.stop()
  }
}

function settings(stream) {
  return stream.getVideoTracks()[0].getSettings()
}

// Phones call their cameras “camera2 0, facing back”.
function namesOf(devices) {
  const sides = devices.map(({ label }, place) => {
    if (/back|rear|environment/i.test(label)) return "Back"
    return /front|facing user/i.test(label) ? "Front" : label || `Camera ${place + 1}`
  })
  const seen = {}
  return sides.map((name) => {
    seen[name] = (seen[name] ?? 0) + 1
    return seen[name] > 1 ? `${name} ${seen[name]}` : name
  })
}

function pace(times, milliseconds) {
  const answer = `answered in ${Math.round(milliseconds)} ms`
  if (times.length < 3) return answer
  const perSecond = (1000 * (times.length - 1)) / (times.at(-1) - times[0])
  return `${perSecond.toFixed(1)} answers per second, ${answer}`
}

function element(name, className) {
  const node = document.createElement(name)
  node.className = className
  return node
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text
}
