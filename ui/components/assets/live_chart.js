// The browser side of the live chart: one <div>, one Plotly figure, brought up to date by Plotly.react.

const NARROW = 640 // px; below it the two plots stand one above the other (the same as in live_chart.css)
const REMEMBERED = "transfer-learning-live-chart" // smoothing and scale stay as this reader left them
const SMOOTHED = new Set(["batch", "training", "validation"])

const WAITING = ["", "2"].map((panel) => ({
  xref: `x${panel} domain`,
  yref: `y${panel} domain`,
  x: 0.5,
  y: 0.5,
  showarrow: false,
  text: "The curve begins with the first batch.",
}))

const charts = new WeakMap() // element -> Chart; Streamlit calls the function below again for every update

export default function ({ data, parentElement }) {
  let chart = charts.get(parentElement)
  if (!chart) {
    chart = new Chart(parentElement)
    charts.set(parentElement, chart)
  }
  chart.update(data)
  return () => {
    chart.remove()
    charts.delete(parentElement)
  }
}

class Chart {
  constructor(parent) {
    this.root = parent.querySelector(".tlc")
    this.plot = this.root.querySelector(".tlc-plot")
    this.controls = Object.fromEntries(
      ["smoothing", "log", "follow", "reset", "csv", "png"].map((name) => [name, this.root.querySelector(`.tlc-${name}`)]),
    )
    this.resets = 0
    this.size = [0, 0]
    this.restoreControls()
    this.connectControls()
    this.observer = new ResizeObserver(() => this.resized())
    this.observer.observe(this.plot)
  }

  restoreControls() {
    const kept = recall()
    this.controls.smoothing.value = kept.smoothing ?? 0
    this.controls.log.checked = kept.log ?? false
  }

  connectControls() {
    const { smoothing, log, follow, reset, csv, png } = this.controls
    smoothing.oninput = log.onchange = () => {
      remember({ smoothing: Number(smoothing.value), log: log.checked })
      this.draw()
    }
    follow.onclick = () => {
      follow.setAttribute("aria-pressed", String(!this.follows()))
      this.moveAlong()
    }
    reset.onclick = () => {
      this.resets += 1
      follow.setAttribute("aria-pressed", "false")
      this.draw()
    }
    csv.onclick = () => this.downloadTable()
    png.onclick = () => this.downloadPicture()
  }

  update(data) {
    this.data = data
    this.draw()
  }

  follows() {
    return this.controls.follow.getAttribute("aria-pressed") === "true"
  }

  zoomed() {
    return this.plot._fullLayout?.xaxis?.autorange === false && this.data.traces.some((trace) => trace.x.length)
  }

  listenToZoom() {
    if (this.listening) return
    this.listening = true
    this.plot.on("plotly_relayout", () => this.showFollow())
  }

  showFollow() {
    this.controls.follow.hidden = !this.zoomed()
  }

  // A window that somebody has zoomed to keeps its width, and its right edge stays at the newest epoch.
  async moveAlong() {
    this.showFollow()
    if (!this.follows() || !this.zoomed()) return
    const [from, to] = this.plot._fullLayout.xaxis.range
    const last = Math.max(...this.data.traces.flatMap((trace) => trace.x.slice(-1)))
    if (Math.abs(last - to) < 1e-6) return
    await window.Plotly.relayout(this.plot, { "xaxis.range": [last - (to - from), last] })
  }

  resized() {
    const [width, height] = [this.plot.clientWidth, this.plot.clientHeight]
    if (width !== this.size[0] || height !== this.size[1]) this.draw()
  }

  async draw() {
    if (!this.data || !this.plot.clientWidth) return
    const { smoothing, reset, csv, png } = this.controls
    const weight = Number(smoothing.value)
    reset.disabled = csv.disabled = png.disabled = this.data.traces.every((trace) => trace.x.length === 0)
    this.root.querySelector(".tlc-smoothing-value").textContent = weight ? weight.toFixed(2) : "off"
    this.plot.setAttribute("aria-label", this.data.description)
    try {
      const plotly = await loadPlotly(this.data.plotly_url)
      if (this.removed) return
      this.size = [this.plot.clientWidth, this.plot.clientHeight]
      await plotly.react(this.plot, this.traces(weight), this.layout(...this.size), {
        displayModeBar: false,
        scrollZoom: false,
        doubleClick: "reset",
      })
      this.listenToZoom()
      await this.moveAlong()
      this.plot.dataset.updates = String(Number(this.plot.dataset.updates ?? 0) + 1)
    } catch (error) {
      console.error(error)
      showMessage(this.plot, "The chart could not be drawn; reload the page to try again.")
    }
  }

  // Each line that can be smoothed becomes two traces, in a fixed order: as measured, and smoothed.
  traces(weight) {
    const theme = this.theme()
    return this.data.traces.flatMap((trace) => {
      if (!SMOOTHED.has(trace.meta.role)) return [withOutline(trace, theme)]
      return weight ? smoothedPair(trace, weight) : [trace, emptyTwin(trace)]
    })
  }

  layout(width, height) {
    const theme = this.theme()
    const narrow = width < NARROW
    const { xaxis, yaxis, xaxis2, yaxis2, shapes, annotations, ...rest } = this.data.layout
    const legendAbove = { x: 0, xanchor: "left", y: 1, yref: "container", yanchor: "top" }
    const nothing = this.data.traces.every((trace) => trace.x.length === 0)
    return {
      ...rest,
      ...this.axes({ xaxis, yaxis, xaxis2, yaxis2 }, theme, narrow, nothing),
      width,
      height,
      uirevision: this.revision(),
      paper_bgcolor: theme.background,
      plot_bgcolor: theme.background,
      font: { family: theme.font, size: 13, color: theme.text },
      margin: { l: 8, r: 8, t: rest.legend ? 24 : narrow ? 90 : 62, b: 8 },
      legend: { orientation: "h", font: { size: narrow ? 11 : 13 }, ...(rest.legend ?? legendAbove) },
      hoverlabel: { bgcolor: theme.background, bordercolor: theme.line, font: { color: theme.text } },
      dragmode: narrow ? false : "zoom", // on a phone a finger scrolls the page
      shapes: shapes.map((shape) => ({ ...shape, line: { ...shape.line, color: theme.faded } })),
      annotations: (nothing ? WAITING : annotations).map((label) => ({
        ...label,
        font: { size: 12, color: theme.faded },
      })),
    }
  }

  // Side by side, or one above the other; there the upper plot goes without the name of its x axis, which would
  // meet the phase names of the lower one.
  axes({ xaxis, yaxis, xaxis2, yaxis2 }, theme, narrow, nothing) {
    const scale = this.controls.log.checked ? "log" : "linear"
    const common = { gridcolor: theme.grid, linecolor: theme.line, zeroline: false, automargin: true }
    const epochs = { ...common, unifiedhovertitle: { text: this.data.hover_title ?? "Epoch %{x}" }, ...fixed(nothing, [0, 5]) }
    return {
      xaxis: { ...xaxis, ...epochs, title: narrow ? "" : title(xaxis), domain: narrow ? [0, 1] : [0, 0.455] },
      // The same epochs in both, also while somebody zooms in one of them.
      xaxis2: { ...xaxis2, ...epochs, matches: "x", title: title(xaxis2), domain: narrow ? [0, 1] : [0.545, 1] },
      yaxis: {
        ...yaxis,
        ...common,
        ...fixed(nothing, [0, 1]),
        title: title(yaxis),
        domain: narrow ? [0.59, 1] : [0, 1],
      },
      yaxis2: {
        ...yaxis2,
        ...common,
        ...fixed(nothing, scale === "log" ? [-2, 0] : [0, 1]),
        title: title(yaxis2),
        domain: narrow ? [0, 0.41] : [0, 1],
        type: scale,
        uirevision: `${this.revision()}-${scale}`, // a zoom of one scale means nothing on the other
      },
    }
  }

  revision() {
    return `${this.data.revision}-${this.resets}`
  }

  theme() {
    const style = getComputedStyle(this.root)
    const read = (name, fallback) => style.getPropertyValue(name).trim() || fallback
    const text = read("--st-text-color", "#1b2530")
    const background = read("--st-background-color", "#ffffff")
    const line = read("--st-border-color", "#d5dde3")
    return {
      text,
      background,
      line,
      grid: read("--st-border-color-light", line),
      faded: mix(text, background, 0.75),
      font: read("--st-font", "sans-serif"),
    }
  }

  downloadTable() {
    const cell = (value) => (typeof value === "string" ? `"${value.replaceAll('"', '""')}"` : (value ?? ""))
    const lines = [this.data.columns, ...this.data.rows].map((row) => row.map(cell).join(","))
    save(new Blob([lines.join("\r\n") + "\r\n"], { type: "text/csv" }), `${this.fileName()}.csv`)
  }

  async downloadPicture() {
    const plotly = await loadPlotly(this.data.plotly_url)
    const [width, height] = this.size
    // A picture cannot load the page's font, and would be laid out for another than it shows.
    const layout = { ...this.plot.layout, font: { ...this.plot.layout.font, family: "Arial, Helvetica, sans-serif" } }
    const options = { format: "png", width, height, scale: 2, filename: this.fileName() }
    await plotly.downloadImage({ data: this.plot.data, layout }, options)
  }

  fileName() {
    const name = (this.data.title || "run").normalize("NFKD").replace(/\p{M}/gu, "").replace(/[^\w-]+/g, "-").replace(/^-+|-+$/g, "")
    return `${name || "run"}-curves`
  }

  remove() {
    this.removed = true
    this.observer.disconnect()
    window.Plotly?.purge(this.plot)
  }
}

function fixed(condition, range) {
  return condition ? { autorange: false, range } : {}
}

function title(axis) {
  return { ...axis.title, font: { size: 13 }, standoff: 10 }
}

function withOutline(trace, theme) {
  return { ...trace, marker: { ...trace.marker, line: { ...trace.marker.line, color: theme.text } } }
}

function emptyTwin(trace) {
  return { ...trace, uid: `${trace.uid}-smoothed`, x: [], y: [], showlegend: false }
}

// The hover box goes on to tell what was measured.
function smoothedPair(trace, weight) {
  const measured = { ...trace, opacity: 0.35, mode: "lines", showlegend: false, line: { ...trace.line, width: 1 } }
  const calm = { ...trace, uid: `${trace.uid}-smoothed`, y: smooth(trace.y, weight), mode: "lines" }
  return [measured, { ...calm, hoverinfo: "skip", hovertemplate: null }]
}

// The mean of an exponential moving average from the left and one from the right: a single one would lag behind.
function smooth(values, weight) {
  const forwards = movingAverage(values, weight)
  const backwards = movingAverage([...values].reverse(), weight).reverse()
  return forwards.map((value, place) => (value === null ? null : (value + backwards[place]) / 2))
}

// Without the pull towards zero at its beginning.
function movingAverage(values, weight) {
  let [sum, share] = [0, 0]
  return values.map((value) => {
    if (value === null) return null
    sum = sum * weight + value * (1 - weight)
    share = share * weight + (1 - weight)
    return sum / share
  })
}

function mix(first, second, share) {
  const parse = (color) => [1, 3, 5].map((place) => parseInt(color.slice(place, place + 2), 16))
  if (![first, second].every((color) => /^#[0-9a-f]{6}$/i.test(color))) return first
  const [a, b] = [parse(first), parse(second)]
  return `rgb(${a.map((value, place) => Math.round(value * share + b[place] * (1 - share))).join(", ")})`
}

// Once per browser page, however many charts there are and however often they are mounted.
function loadPlotly(address) {
  window.transferLearningPlotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script")
    script.src = new URL(address, document.baseURI).href
    script.onload = () => resolve(window.Plotly)
    script.onerror = () => {
      window.transferLearningPlotly = undefined // so that the next update tries again
      reject(new Error(`${script.src} could not be loaded`))
    }
    document.head.append(script)
  })
  return window.transferLearningPlotly
}

function showMessage(plot, text) {
  if (plot.classList.contains("js-plotly-plot")) return // the last good drawing says more
  const message = document.createElement("p")
  message.className = "tlc-message"
  message.textContent = text
  plot.replaceChildren(message)
}

function save(blob, name) {
  const link = document.createElement("a")
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 1000)
}

function recall() {
  try {
    return JSON.parse(localStorage.getItem(REMEMBERED)) ?? {}
  } catch {
    return {} // private browsing, or something else wrote there
  }
}

function remember(choice) {
  try {
    localStorage.setItem(REMEMBERED, JSON.stringify(choice))
  } catch {
    // Nothing is lost but the memory of a preference.
  }
}
