// What is seen and pressed: the camera, photos, and the answers to them.

const SURENESS = [
  [0.9, "Almost certainly"],
  [0.7, "Probably"],
  [0.5, "Perhaps"],
  [0, "Not sure, perhaps"],
]
const NOTHING = "No picture yet"
const FEW_CHIPS = 6 // in one column
const MOST_CHIPS = 12
const INTERVAL = 100 // ms at least between two pictures of the camera
const WORDS = {
  loading: "Getting the model ready …",
  idle: "Start the camera, or choose a photo.",
  asking: "Allow the camera when your browser asks.",
  paused: "Paused: the camera is off while this page is not in front.",
  denied: "The camera is blocked for this page. Allow it in the browser's settings, then start it again.",
  missing: "No camera was found. Connect one and start it again, or choose a photo.",
  busy: "The camera cannot be used just now, perhaps because another program has it. Close that and start it again.",
  impossible: "This browser gives no camera to a page that was opened as a file. Choose or take a photo instead.",
  ended: "The camera was taken away or unplugged. Start it again to go on.",
  unreadable: "This browser cannot read that file as a picture. Choose a JPEG, PNG or WebP.",
  broken: "This browser cannot run the model. Try a current version of Chrome, Edge, Firefox or Safari.",
}
const REASONS = {
  NotAllowedError: "denied",
  SecurityError: "denied",
  NotFoundError: "missing",
  OverconstrainedError: "missing",
}

const root = document.documentElement
const at = (id) => document.getElementById(id)
const facts = JSON.parse(at("facts").textContent)
const model = new Model(facts)
let stream = null // of the camera, while it is on
let turn = null // what was asked for last: the camera or a photo; what was asked before counts no more

async function begin() {
  cover("loading")
  at("classes").textContent = `Knows ${facts.classes.length} classes: ${named(facts.classes)}.`
  at("about").textContent = `Model of ${facts.made}, with ${facts.library}.`
  clear()
  await new Promise((drawn) => setTimeout(drawn, 50)) // what follows may keep the browser from drawing for seconds
  try {
    await model.open()
  } catch (error) {
    console.error(error)
    return fail()
  }
  tellDifference()
  for (const id of ["camera", "file"]) at(id).disabled = false
  if (!navigator.mediaDevices?.getUserMedia) {
    at("camera").hidden = true
    at("choose").textContent = "Take or choose a photo"
    cover("impossible")
  } else cover("idle")
  root.dataset.state = "ready"
}

function named(classes) {
  const shown = classes.slice(0, MOST_CHIPS).join(", ")
  return classes.length > MOST_CHIPS ? `${shown} and ${classes.length - MOST_CHIPS} more` : shown
}

function fail() {
  cover("broken")
  root.dataset.state = "failed"
}

function tellDifference() {
  root.dataset.backend = model.backend
  root.dataset.difference = String(model.difference)
  const words = { webgl: "the graphics chip", cpu: "the processor" }[model.backend]
  const close = model.difference <= CLOSE
  const far = `${(100 * model.difference).toFixed(1)} %`
  at("about").textContent += close ? ` Checked on this device, with ${words}: its answers are those of the dashboard that made it.` : ""
  at("warning").hidden = close
  at("warning").textContent = close ? "" : `On this device answers differ by up to ${far} from where the model was made.`
}

function cover(state) {
  at("cover").textContent = WORDS[state] ?? ""
  at("cover").hidden = !WORDS[state]
}

// The camera -----------------------------------------------------------------------------------------------------

async function startCamera(device) {
  stopCamera()
  at("photo").hidden = true
  clear()
  cover("asking")
  const mine = (turn = {})
  const wish = device ? { deviceId: { exact: device } } : { facingMode: { ideal: "environment" } }
  try {
    const found = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { ...wish, width: { ideal: 640 }, height: { ideal: 480 } },
    })
    if (turn !== mine) return end(found)
    stream = found
    const track = found.getVideoTracks()[0]
    track.onended = () => stopCamera("ended")
    at("video").srcObject = found
    at("video").classList.toggle("mirrored", track.getSettings().facingMode !== "environment")
    await at("video").play()
    if (turn !== mine) return
    at("video").hidden = false
    cover("")
    root.dataset.on = "true"
    at("camera").textContent = "Stop the camera"
    offerCameras()
    watch(mine)
  } catch (error) {
    if (turn === mine) stopCamera(REASONS[error.name] ?? "busy")
  }
}

function stopCamera(state = "idle") {
  turn = null
  if (stream) end(stream)
  stream = null
  at("video").srcObject = null
  at("video").hidden = true
  root.dataset.on = "false"
  at("camera").textContent = "Start the camera"
  at("pace").textContent = ""
  cover(state)
}

function end(ended) {
  for (const track of ended.getTracks()) {
    track.onended = null
    track.stop()
  }
}

async function offerCameras() {
  const found = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput")
  if (!stream) return
  at("which").hidden = found.length < 2
  at("cameras").replaceChildren(
    ...found.map(({ deviceId, label }, place) => new Option(label || `Camera ${place + 1}`, deviceId)),
  )
  at("cameras").value = stream.getVideoTracks()[0].getSettings().deviceId
}

async function watch(mine) {
  const times = []
  while (turn === mine) {
    const began = performance.now()
    if (at("video").videoWidth) {
      const answer = await model.look(onGround(pixelsOf(at("video")), facts))
      if (turn !== mine) return
      show(answer)
      times.push(performance.now())
      if (times.length > 10) times.shift()
      at("pace").textContent = pace(times, performance.now() - began)
    }
    await new Promise((next) => setTimeout(next, Math.max(0, INTERVAL - (performance.now() - began))))
  }
}

function pace(times, milliseconds) {
  const answered = `answered in ${Math.round(milliseconds)} ms`
  if (times.length < 3) return answered
  return `${((1000 * (times.length - 1)) / (times.at(-1) - times[0])).toFixed(1)} answers per second, ${answered}`
}

// Photos ---------------------------------------------------------------------------------------------------------

async function showPhoto(file) {
  if (root.dataset.state !== "ready") return
  stopCamera()
  const mine = (turn = {})
  const began = performance.now()
  try {
    const picture = await readPicture(file, facts)
    if (turn !== mine) return
    URL.revokeObjectURL(at("photo").src)
    at("photo").src = URL.createObjectURL(file)
    at("photo").alt = file.name
    at("photo").hidden = false
    cover("")
    clear("Looking at it …")
    const answer = await model.look(picture)
    if (turn !== mine) return
    show(answer)
    const taken = Math.round(performance.now() - began)
    at("pace").textContent = `${file.name || "Photo"}, answered in ${taken} ms`
  } catch (error) {
    if (turn !== mine) return
    console.warn(error)
    at("photo").hidden = true
    clear()
    cover("unreadable")
  }
}

// Answers --------------------------------------------------------------------------------------------------------

function show({ probabilities, novelty }) {
  const order = probabilities.map((_, place) => place).sort((one, other) => probabilities[other] - probabilities[one])
  const best = order[0]
  const share = probabilities[best]
  const unlike = novelty > 1
  const unsure = !unlike && share < facts.threshold
  const name = facts.classes[best]
  const sure = SURENESS.find(([limit]) => share >= limit)[1]
  at("headline").textContent = unlike ? "Unlike anything it was taught" : unsure ? "I don't know" : `${sure} ${name}`
  at("detail").textContent = unlike
    ? `If it had to choose, it would say ${name}.`
    : unsure
      ? `Best guess: ${name}, ${percent(share)}; it answers from ${Math.round(100 * facts.threshold)} % on.`
      : ""
  chips.show(order, probabilities)
  root.dataset.answer = unlike ? "unlike" : unsure ? "unsure" : "answered"
  root.dataset.novelty = String(novelty)
  root.dataset.answers = String(Number(root.dataset.answers ?? 0) + 1)
}

// No answer stands beside a picture that it does not belong to.
function clear(words = NOTHING) {
  at("headline").textContent = words
  at("detail").textContent = ""
  chips.prepare()
  delete root.dataset.answer
}

// One chip for each class in the order of the classes, or for the likeliest where there are many.
const chips = {
  prepare() {
    const shown = facts.classes.slice(0, MOST_CHIPS)
    at("chips").classList.toggle("few", shown.length <= FEW_CHIPS)
    this.list = shown.map((name, place) => this.chip(name, place))
    at("chips").replaceChildren(...this.list.map(({ root: chip }) => chip))
    const left = facts.classes.length - shown.length
    at("more").textContent = left ? `and ${left} more` : ""
  },

  chip(name, place) {
    const parts = { root: element("li", "chip"), fill: element("span", "fill") }
    parts.name = element("span", "name")
    parts.value = element("span", "value")
    parts.root.append(parts.fill, parts.name, parts.value)
    this.rename({ ...parts }, name, place)
    return { ...parts, place }
  },

  rename(parts, name, place) {
    parts.name.textContent = parts.name.title = name
    parts.root.dataset.place = String(place)
  },

  // A class keeps its chip as long as it is among the likeliest; a new one takes that of one that no longer is.
  show(order, probabilities) {
    const wanted = order.slice(0, this.list.length)
    const free = this.list.filter(({ place }) => !wanted.includes(place))
    for (const place of wanted) {
      if (this.list.some((chip) => chip.place === place)) continue
      const chip = free.shift()
      chip.place = place
      this.rename(chip, facts.classes[place], place)
    }
    for (const chip of this.list) {
      const share = probabilities[chip.place]
      chip.value.textContent = percent(share)
      chip.root.dataset.probability = String(share)
      chip.fill.style.transform = `scaleX(${share})`
      chip.root.classList.toggle("first", chip.place === order[0])
    }
  },
}

function element(name, className) {
  const node = document.createElement(name)
  node.className = className
  return node
}

// Never a rounded 0 % or 100 % where it is neither.
function percent(share) {
  if (share > 0 && share < 0.0005) return "< 0.1 %"
  if (share >= 0.9995 && share < 1) return "> 99.9 %"
  return `${(100 * share).toFixed(1)} %`
}

// What a person does -----------------------------------------------------------------------------------------------

at("camera").onclick = () => (root.dataset.on === "true" ? stopCamera() : startCamera())
at("cameras").onchange = () => startCamera(at("cameras").value)
at("file").onchange = () => {
  const [file] = at("file").files
  at("file").value = "" // so that the same file can be chosen again
  if (file) showPhoto(file)
}
document.addEventListener("dragover", (event) => {
  event.preventDefault()
  document.body.classList.add("dropping")
})
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping")
})
document.addEventListener("drop", (event) => {
  event.preventDefault()
  document.body.classList.remove("dropping")
  const [file] = event.dataTransfer.files
  if (file) showPhoto(file)
})
document.addEventListener("paste", (event) => {
  const [file] = event.clipboardData.files
  if (file) showPhoto(file)
})
document.addEventListener("visibilitychange", () => {
  if (document.hidden && stream) stopCamera("paused")
})
window.addEventListener("pagehide", () => stopCamera())
begin()
