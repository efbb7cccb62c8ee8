// The model in this page, asked as the program of every other export asks it: the probabilities of the classes, and
// how unlike a picture is to all that was taught.

const CLOSE = 0.01 // of a probability, between this device's answer and the dashboard's
const BACKENDS = ["webgl", "cpu"] // of TensorFlow.js, the fastest first

class Model {
  constructor(facts) {
    this.facts = facts
    this.known = facts.known && readKnown(facts.known)
  }

  // Choose what to compute with: the first that gives the dashboard's answers, or else the last.
  async open() {
    const artifacts = readArtifacts()
    for (const name of BACKENDS) {
      if (!(await tf.setBackend(name).catch(() => false))) continue
      this.graph?.dispose()
      this.graph = await tf.loadGraphModel(tf.io.fromMemory(artifacts))
      this.backend = tf.getBackend()
      this.difference = await this.check()
      if (this.difference <= CLOSE) return
    }
    if (!this.graph) throw new Error("nothing to compute with")
  }

  // The largest difference from the dashboard's answers; the first question also takes the longest.
  async check() {
    const differences = [0]
    for (const check of this.facts.checks) {
      const picture = await readPicture(new Blob([bytesOf(check.picture)]), this.facts)
      const { probabilities, novelty } = await this.look(picture)
      differences.push(...probabilities.map((share, at) => Math.abs(share - check.probabilities[at])))
      if (check.novelty !== null) {
        differences.push(Math.abs(novelty - check.novelty) / Math.max(1, check.novelty))
      }
    }
    return differences.some(Number.isNaN) ? 1 : Math.max(...differences)
  }

  // Of a picture as `readPicture` gives it.
  async look(picture) {
    const { size, sigmoid, temperature } = this.facts
    const square = fitted(picture, this.facts)
    const outputs = tf.tidy(() => {
      const image = tf.tensor4d(Float32Array.from(square.data), [1, size, size, 3])
      return [this.graph.predict(image)].flat()
    })
    const [given, ...seen] = await Promise.all(outputs.map((output) => output.data()))
    tf.dispose(outputs)
    const shares = sigmoid ? [1 - given[0], given[0]] : Array.from(given)
    return { probabilities: calm(shares, temperature), novelty: this.known ? this.novelty(seen) : 0 }
  }

  // The distance to the nearest training image, of which the principal components are here; 1 is the limit.
  novelty(seen) {
    const { mean, scale, components, rows, limit } = this.known
    const values = new Float64Array(mean.length)
    let place = 0
    for (const part of seen) {
      const length = Math.max(Math.hypot(...part), 1e-12) * Math.sqrt(seen.length)
      for (const value of part) {
        values[place] = (value / length - mean[place]) * scale[place]
        place++
      }
    }
    const inside = components.map((component) => product(component, values))
    const outside = Math.max(0, product(values, values) - product(inside, inside))
    const squares = rows.map((row) => row.reduce((sum, value, at) => sum + (value - inside[at]) ** 2, 0))
    return Math.sqrt(Math.min(...squares) + outside) / limit
  }
}

// Honest probabilities: of the scores divided by the temperature.
function calm(probabilities, temperature) {
  if (temperature === 1) return probabilities
  const most = Math.max(...probabilities)
  const odds = probabilities.map((share) => (Math.max(share, 1e-12) / most) ** (1 / temperature))
  const sum = odds.reduce((whole, part) => whole + part, 0)
  return odds.map((part) => part / sum)
}

function product(one, other) {
  let sum = 0
  for (let at = 0; at < one.length; at++) sum += one[at] * other[at]
  return sum
}

// What TensorFlow.js loads a model from, where there is no address to load it from.
function readArtifacts() {
  const { weightsManifest, ...described } = JSON.parse(document.getElementById("model").textContent)
  return {
    ...described,
    weightSpecs: weightsManifest.flatMap(({ weights }) => weights),
    weightData: bytesOf(document.getElementById("weights").textContent).buffer,
  }
}

function readKnown({ components, values, rows, limit }) {
  const numbers = new Float32Array(bytesOf(document.getElementById("known").textContent).buffer)
  const cut = (start, count, length) =>
    Array.from({ length: count }, (_, at) => numbers.subarray(start + at * length, start + (at + 1) * length))
  return {
    limit,
    mean: numbers.subarray(0, values),
    scale: numbers.subarray(values, 2 * values),
    components: cut(2 * values, components, values),
    rows: cut(values * (2 + components), rows, components),
  }
}

// Of a text in base64, decoded in pieces that a browser can take.
function bytesOf(text) {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0
  const bytes = new Uint8Array((text.length / 4) * 3 - padding)
  const piece = 1 << 20
  for (let start = 0, at = 0; start < text.length; start += piece) {
    const letters = atob(text.slice(start, start + piece))
    for (let letter = 0; letter < letters.length; letter++) bytes[at++] = letters.charCodeAt(letter)
  }
  return bytes
}
