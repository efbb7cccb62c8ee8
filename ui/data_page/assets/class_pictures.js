// The pictures of one class before they are a dataset: shows them at once, takes more from the camera as long as a
// button is held, and from a video, which the browser itself plays. What is taken goes to the server in small parcels.

const EVERY = 200 // ms between two pictures
const LONGEST = 640 // px, of what is sent: as large as an import keeps it
const MOST_BYTES = 120_000
const QUALITIES = [0.9, 0.8, 0.65, 0.5, 0.35]
const PARCEL = 5 // pictures sent at once
const AGAIN = 3_000 // ms after which a parcel is sent anew: a run of the whole page may have taken its place
const AGAIN_AT_MOST = 12_000
const PATIENCE = 60_000 // ms for an answer of the server
const MOST_FRAMES = 300 // of one recording or one video: a minute
const MOST_WAITING = 20 // pictures of a video that wait to be sent, before the next is taken
const SEEK = 15_000 // ms for a place in a video to be found
const OFF_AFTER = 60_000 // ms without a recording after which the camera is turned off

const WORDS = {
  asking: "Allow the camera when your browser asks.",
  denied:
    "The camera is blocked for this page. Allow it in the browser's settings for this address (the sign beside it), " +
    "then press the button again.",
  missing: "No camera was found. Connect one and press again, or bring pictures as files.",
  busy: "The camera cannot be used just now, perhaps because another program has it. Close that and press again.",
  insecure:
    "Browsers give the camera only to pages from https addresses or from this machine itself (localhost). This page " +
    "came by http: ask for its https address, or bring pictures as files.",
  ended: "The camera was taken away or unplugged. Press again to go on.",
  silent: "The server does not answer: the pictures that look pale are not there yet. Press to go on.",
  unplayable:
    "This browser cannot play this video. Bring it as MP4 (H.264) or WebM, or use a browser that plays it, such as " +
    "Safari for films of an iPhone.",
  full: `A recording ends after ${MOST_FRAMES} pictures. Press again for another one.`,
}
const REASONS = { NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "missing", OverconstrainedError: "missing" }

const piles = new WeakMap() // element -> Pile; Streamlit calls the function below again for every update
const queues = new Map() // key of the pile -> pictures not sent yet; they outlive a change of the page
let holder = null // the pile that has the camera: there is one

export default function ({ data, parentElement, setTriggerValue }) {
  let pile = piles.get(parentElement)
  if (!pile) {
    pile = new Pile(parentElement.querySelector(".pile"), data.key)
    piles.set(parentElement, pile)
  }
  pile.send = setTriggerValue
  pile.update(data)
  return () => {
    pile.leave()
    piles.delete(parentElement)
  }
}

class Pile {
  constructor(root, key) {
    this.root = root
    const find = (name) => root.querySelector(`.${name}`)
    for (const name of ["record", "film", "file", "off", "which", "count", "said", "live", "badge", "work", "doing", "cancel", "thumbs", "all"]) {
      this[name] = find(name)
    }
    this.video = root.querySelector("video")
    this.bar = root.querySelector("progress")
    this.select = root.querySelector("select")
    this.canvas = document.createElement("canvas")
    this.queue = queues.get(key) ?? []
    queues.set(key, this.queue)
    this.number = Date.now() // of the last parcel; no answer to an earlier one is taken for one to this
    this.removed = new Set()
    this.items = new Map()
    this.held = false
    this.listen()
    this.show("off")
  }

  listen() {
    const { record } = this
    record.onpointerdown = (event) => {
      if (event.button) return
      record.setPointerCapture?.(event.pointerId)
      this.press()
    }
    record.onpointerup = record.onpointercancel = record.onlostpointercapture = () => this.release()
    record.oncontextmenu = (event) => event.preventDefault()
    record.onkeydown = (event) => {
      if (event.key !== " " && event.key !== "Enter") return
      event.preventDefault()
      if (!event.repeat) this.press()
    }
    record.onkeyup = (event) => (event.key === " " || event.key === "Enter") && this.release()
    record.onblur = () => this.release()
    this.off.onclick = () => this.turnOff()
    this.select.onchange = () => this.turnOn(this.select.value)
    this.film.onclick = () => this.file.click()
    this.file.onchange = () => this.takeFilm(this.file.files[0])
    this.cancel.onclick = () => (this.filming = null)
    this.all.onclick = () => this.send("everything", !this.showsAll)
    this.onHidden = () => document.hidden && this.turnOff()
    this.onPageHide = () => this.turnOff()
    document.addEventListener("visibilitychange", this.onHidden)
    window.addEventListener("pagehide", this.onPageHide)
  }

  leave() {
    this.turnOff()
    this.filming = null
    clearTimeout(this.timer)
    document.removeEventListener("visibilitychange", this.onHidden)
    window.removeEventListener("pagehide", this.onPageHide)
  }

  // --- the camera

  show(state) {
    this.root.dataset.state = state
    this.live.hidden = state === "off" || state === "asking"
    this.off.hidden = this.live.hidden
    this.record.setAttribute("aria-pressed", String(state === "recording"))
    if (this.off.hidden) this.which.hidden = true
  }

  say(words) {
    setText(this.said, words)
    this.said.hidden = !words
  }

  async press() {
    this.held = true
    this.say("")
    if (this.parcel?.given_up) this.pump(true)
    if (!this.stream) await this.turnOn()
    if (this.held && this.stream) this.begin()
  }

  release() {
    this.held = false
    this.finish()
  }

  async turnOn(device) {
    if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) return this.say(WORDS.insecure)
    if (holder && holder !== this) holder.turnOff()
    this.turnOff()
    holder = this
    const turn = (this.turn = {})
    this.show("asking")
    this.say(WORDS.asking)
    const wish = device ? { deviceId: { exact: device } } : { facingMode: { ideal: "environment" } }
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: { ...wish, width: { ideal: 640 }, height: { ideal: 480 } },
      })
      if (this.turn !== turn) return end(stream)
      this.stream = stream
      stream.getVideoTracks()[0].onended = () => {
        this.turnOff()
        this.say(WORDS.ended)
      }
      this.video.srcObject = stream
      this.video.classList.toggle("mirrored", settings(stream).facingMode !== "environment")
      this.show("ready")
      await this.video.play()
      this.say("")
      this.rest()
      this.offerCameras()
    } catch (error) {
      if (this.turn !== turn) return
      this.turnOff()
      this.say(WORDS[REASONS[error.name] ?? "busy"])
    }
  }

  turnOff() {
    this.finish()
    this.turn = null
    clearTimeout(this.resting)
    if (this.stream) end(this.stream)
    this.stream = null
    this.video.srcObject = null
    if (holder === this) holder = null
    this.show("off")
  }

  rest() {
    clearTimeout(this.resting)
    this.resting = setTimeout(() => this.turnOff(), OFF_AFTER)
  }

  async offerCameras() {
    const found = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput")
    if (!this.stream) return
    this.which.hidden = found.length < 2
    this.select.replaceChildren(...found.map(({ deviceId, label }, place) => new Option(label || `Camera ${place + 1}`, deviceId)))
    this.select.value = settings(this.stream).deviceId
  }

  begin() {
    clearTimeout(this.resting)
    this.recording = { token: token(), name: `recording ${clock()}`, taken: 0 }
    this.show("recording")
    this.shoot()
    this.ticking = setInterval(() => this.shoot(), EVERY)
  }

  shoot() {
    if (!this.video.videoWidth) return
    this.keep(this.recording, this.video)
    setText(this.badge, String(this.recording.taken))
    if (this.recording.taken < MOST_FRAMES) return
    this.finish()
    this.say(WORDS.full)
  }

  finish() {
    clearInterval(this.ticking)
    setText(this.badge, "")
    if (this.root.dataset.state !== "recording") return
    this.show("ready")
    this.rest()
  }

  // --- a video

  async takeFilm(file) {
    this.file.value = "" // the same file may be chosen again
    if (!file) return
    this.say("")
    const job = (this.filming = { token: token(), name: file.name.slice(0, 80), taken: 0 })
    const film = document.createElement("video")
    Object.assign(film, { muted: true, playsInline: true, preload: "auto", src: URL.createObjectURL(file) })
    this.work.hidden = false
    setText(this.doing, "Opening the video …")
    try {
      const length = await lengthOf(film)
      const amount = Math.max(1, Math.min(MOST_FRAMES, Math.floor((1000 * length) / EVERY)))
      for (let place = 0; place < amount && this.filming === job; place++) {
        await seek(film, (length * (place + 0.5)) / amount)
        if (!film.videoWidth) throw new Error("no picture")
        this.keep(job, film)
        this.bar.value = (place + 1) / amount
        setText(this.doing, `${place + 1} of ${amount} pictures`)
        while (this.queue.length > MOST_WAITING && this.filming === job && !this.parcel?.given_up) await pause(50)
      }
    } catch {
      this.say(WORDS.unplayable)
    } finally {
      URL.revokeObjectURL(film.src)
      film.removeAttribute("src")
      film.load()
      this.work.hidden = true
      this.bar.value = 0
    }
  }

  // --- what is taken goes to the server

  keep(source, film) {
    const jpeg = this.encode(film)
    this.queue.push({ token: source.token, name: source.name, number: source.taken++, jpeg })
    this.pump()
    this.draw()
  }

  encode(film) {
    let scale = Math.min(1, LONGEST / Math.max(film.videoWidth, film.videoHeight))
    for (;;) {
      this.canvas.width = Math.max(1, Math.round(film.videoWidth * scale))
      this.canvas.height = Math.max(1, Math.round(film.videoHeight * scale))
      this.canvas.getContext("2d").drawImage(film, 0, 0, this.canvas.width, this.canvas.height)
      for (const quality of QUALITIES) {
        const encoded = this.canvas.toDataURL("image/jpeg", quality).split(",")[1]
        if (encoded.length * 0.75 <= MOST_BYTES) return encoded
      }
      scale *= 0.7
    }
  }

  pump(again = false) {
    if ((this.parcel && !again) || !this.queue.length) return
    const { token: first } = this.queue[0]
    const pictures = []
    for (const picture of this.queue) {
      if (picture.token !== first || pictures.length === PARCEL) break
      pictures.push(picture)
    }
    this.parcel = { id: ++this.number, size: pictures.length, since: performance.now(), given_up: false }
    this.post(pictures, AGAIN)
  }

  post(pictures, wait) {
    if (performance.now() - this.parcel.since > PATIENCE) {
      this.parcel.given_up = true
      this.finish()
      return this.say(WORDS.silent)
    }
    const [{ token, name, number }] = pictures
    this.send("frames", { id: this.parcel.id, token, name, first: number, jpegs: pictures.map(({ jpeg }) => jpeg) })
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.post(pictures, Math.min(2 * wait, AGAIN_AT_MOST)), wait)
  }

  update({ pictures, total, answer, everything, enabled, what }) {
    this.pictures = pictures
    this.total = total
    this.showsAll = everything
    this.what = what
    for (const button of [this.record, this.film]) button.disabled = !enabled
    if (answer && this.parcel && answer.id === this.parcel.id) {
      clearTimeout(this.timer)
      this.queue.splice(0, this.parcel.size)
      this.parcel = null
      if (answer.error) {
        this.queue.length = 0
        this.finish()
        this.filming = null
        this.say(answer.error)
      }
    }
    this.pump()
    this.draw()
  }

  draw() {
    const there = new Set(this.pictures.map(({ id }) => id))
    for (const id of this.removed) there.has(id) || this.removed.delete(id)
    const shown = this.pictures.filter(({ id }) => !this.removed.has(id))
    const waiting = this.queue.map(({ token, number, jpeg }) => ({
      id: `${token} ${number}`,
      src: `data:image/jpeg;base64,${jpeg}`,
      waiting: true,
    }))
    const wanted = [...waiting.reverse(), ...shown]
    const items = wanted.map((picture) => this.items.get(picture.id) ?? this.item(picture))
    this.items = new Map(wanted.map(({ id }, place) => [id, items[place]]))
    for (const node of [...this.thumbs.children]) items.includes(node) || node.remove()
    items.forEach((node, place) => this.thumbs.children[place] === node || this.thumbs.insertBefore(node, this.thumbs.children[place] ?? null))
    const amount = this.total - this.removed.size + waiting.length
    setText(this.count, amount ? `${amount.toLocaleString("en")} ${amount === 1 ? "picture" : "pictures"}` : "")
    this.root.dataset.pictures = String(this.total)
    this.all.hidden = this.total <= this.pictures.length && !this.showsAll
    setText(this.all, this.showsAll ? "Show the newest" : `Show all ${this.total.toLocaleString("en")}`)
  }

  item({ id, src, name, waiting, tiny }) {
    const node = element("li", `thumb${waiting ? " waiting" : ""}${tiny ? " tiny" : ""}`)
    const image = element("img", "")
    Object.assign(image, { src, alt: name ?? "", loading: "lazy" })
    node.append(image)
    if (waiting) return node
    node.title = name
    const remove = element("button", "")
    remove.type = "button"
    remove.textContent = "×"
    remove.setAttribute("aria-label", `Remove ${name} from ${this.what}`)
    remove.onclick = () => this.remove(id, node)
    node.append(remove)
    return node
  }

  remove(id, node) {
    const next = (node.nextElementSibling ?? node.previousElementSibling)?.querySelector("button")
    this.removed.add(id)
    this.send("removed", [...this.removed])
    this.draw()
    next?.focus()
  }
}

function lengthOf(film) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("late")), SEEK)
    film.onerror = () => reject(film.error)
    film.onloadeddata = () => {
      if (Number.isFinite(film.duration)) return clearTimeout(late), resolve(film.duration)
      film.ondurationchange = () => {
        if (Number.isFinite(film.duration)) clearTimeout(late), resolve(film.duration)
      }
      film.currentTime = 1e7 // what a browser has recorded tells its length at its end only
    }
  })
}

function seek(film, seconds) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("late")), SEEK)
    film.onerror = () => reject(film.error)
    film.onseeked = () => (clearTimeout(late), resolve())
    film.currentTime = seconds
  })
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
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

function token() {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("")
}

function clock() {
  return new Date().toTimeString().slice(0, 8).replaceAll(":", "-")
}

function element(name, className) {
  const node = document.createElement(name)
  node.className = className
  return node
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text
}
