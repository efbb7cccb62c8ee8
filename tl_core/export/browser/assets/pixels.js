// A picture becomes the square of pixels that the network sees, number for number as the dashboard does it with
// Pillow (tl_core/data/decoding.py): pictures here are {width, height, data}, data three bytes a pixel.

const BITS = 22 // of a weight's fraction, as in Pillow's Resample.c

const FILTERS = {
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: {
    support: 2,
    weight(x) {
      x = Math.abs(x)
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0
    },
  },
}

// A file as upright pixels, as a dataset would store them.
async function readPicture(file, facts) {
  const bitmap = await decoded(file, facts)
  try {
    const bytes = new Uint8Array(await file.slice(0, 3).arrayBuffer())
    const isJpeg = bytes[0] === 0xff && bytes[1] === 0xd8
    return asStored(shrunk(onGround(pixelsOf(bitmap), facts), isJpeg, facts), facts)
  } finally {
    bitmap.close()
  }
}

async function decoded(file, { decoding }) {
  const how = { imageOrientation: "from-image", premultiplyAlpha: "none" }
  return createImageBitmap(file, { ...how, colorSpaceConversion: decoding > 1 ? "default" : "none" })
}

// Four bytes a pixel, of an image or of a frame of a video.
function pixelsOf(source) {
  const width = source.videoWidth ?? source.width
  const height = source.videoHeight ?? source.height
  const canvas = document.createElement("canvas")
  canvas.width = width
  canvas.height = height
  const context = canvas.getContext("2d", { willReadFrequently: true })
  context.drawImage(source, 0, 0)
  return context.getImageData(0, 0, width, height)
}

// Without transparency: over white, or over black where what is seen is bright.
function onGround({ width, height, data }, { bright, decoding }) {
  let light = 0
  let weight = 0
  for (let at = 0; at < data.length; at += 4) {
    light += data[at + 3] * (0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2])
    weight += data[at + 3]
  }
  const ground = decoding > 1 && light > bright * weight ? 0 : 255
  const found = new Uint8Array(width * height * 3)
  for (let at = 0, to = 0; at < data.length; at += 4) {
    const alpha = data[at + 3]
    for (let channel = 0; channel < 3; channel++, to++) {
      const sum = ground * (255 - alpha) + data[at + channel] * alpha + 128
      found[to] = alpha === 255 ? data[at + channel] : (sum + (sum >> 8)) >> 8
    }
  }
  return { width, height, data: found }
}

function targetSize(width, height, { shortSide, longSide }) {
  const scale = Math.min(1, shortSide / Math.min(width, height), longSide / Math.max(width, height))
  return [Math.max(1, round(width * scale)), Math.max(1, round(height * scale))]
}

function shrunk(picture, isJpeg, facts) {
  const [width, height] = targetSize(picture.width, picture.height, facts)
  if (isJpeg) {
    // Pillow decodes a large JPEG at a half, quarter or eighth.
    const scale = Math.floor(Math.min(picture.width / (2 * width), picture.height / (2 * height)))
    const step = [8, 4, 2, 1].find((size) => scale >= size) ?? 1
    picture = reduced(picture, step, step)
  }
  if (picture.width === width && picture.height === height) return picture
  const [across, down] = [gap(picture.width, width), gap(picture.height, height)]
  const box = [0, 0, picture.width / across, picture.height / down]
  return resized(reduced(picture, across, down), width, height, "bicubic", box)
}

function gap(from, to) {
  return Math.max(1, Math.floor(from / to / 3))
}

// The means of blocks of pixels; the last ones may be cut.
function reduced(picture, across, down) {
  if (across === 1 && down === 1) return picture
  const [width, height] = [Math.ceil(picture.width / across), Math.ceil(picture.height / down)]
  const data = new Uint8Array(width * height * 3)
  for (let y = 0, to = 0; y < height; y++) {
    const bottom = Math.min(picture.height, (y + 1) * down)
    for (let x = 0; x < width; x++) {
      const right = Math.min(picture.width, (x + 1) * across)
      const count = (bottom - y * down) * (right - x * across)
      const sums = [count >> 1, count >> 1, count >> 1]
      for (let row = y * down; row < bottom; row++) {
        let at = 3 * (row * picture.width + x * across)
        for (let column = x * across; column < right; column++) {
          sums[0] += picture.data[at++]
          sums[1] += picture.data[at++]
          sums[2] += picture.data[at++]
        }
      }
      for (const sum of sums) data[to++] = sum / count
    }
  }
  return { width, height, data }
}

// As the network sees it: size x size.
function fitted(picture, { size, fit, border }) {
  const { width, height } = picture
  if (width === size && height === size) return picture
  const side = Math.min(width, height)
  if (fit === "crop") {
    const [left, top] = [(width - side) / 2, (height - side) / 2]
    return resized(picture, size, size, "bilinear", [left, top, left + side, top + side])
  }
  if (fit === "border" && width !== height) {
    const scale = size / Math.max(width, height)
    const inner = [Math.max(1, round(width * scale)), Math.max(1, round(height * scale))]
    return framed(resized(picture, ...inner, "bilinear"), size, border)
  }
  return resized(picture, size, size, "bilinear")
}

function framed(picture, size, colour) {
  const data = new Uint8Array(size * size * 3)
  for (let at = 0; at < data.length; at++) data[at] = colour[at % 3]
  const [left, top] = [Math.floor((size - picture.width) / 2), Math.floor((size - picture.height) / 2)]
  for (let row = 0; row < picture.height; row++) {
    const line = picture.data.subarray(3 * row * picture.width, 3 * (row + 1) * picture.width)
    data.set(line, 3 * ((top + row) * size + left))
  }
  return { width: size, height: size, data }
}

function resized(picture, width, height, filter, box = [0, 0, picture.width, picture.height]) {
  const whole = box[0] === 0 && box[1] === 0 && box[2] === picture.width && box[3] === picture.height
  if (whole && picture.width === width && picture.height === height) return picture
  const rows = { width, height: picture.height, data: new Uint8Array(width * picture.height * 3) }
  along(picture.data, rows.data, weights(picture.width, box[0], box[2], width, filter), picture.height, {
    line: [3 * picture.width, 3 * width],
    step: 3,
  })
  const found = { width, height, data: new Uint8Array(width * height * 3) }
  along(rows.data, found.data, weights(picture.height, box[1], box[3], height, filter), width, {
    line: [3, 3],
    step: 3 * width,
  })
  return found
}

// One pass of a resize, over lines of which each begins `line` further on and has its pixels `step` apart.
function along(from, to, places, lines, { line, step }) {
  for (let number = 0; number < lines; number++) {
    for (let place = 0; place < places.length; place++) {
      const { first, parts } = places[place]
      for (let channel = 0; channel < 3; channel++) {
        let sum = 1 << (BITS - 1)
        let at = number * line[0] + first * step + channel
        for (let part = 0; part < parts.length; part++, at += step) sum += parts[part] * from[at]
        sum >>= BITS
        to[number * line[1] + place * step + channel] = sum < 0 ? 0 : sum > 255 ? 255 : sum
      }
    }
  }
}

// For each new pixel the first of those that it is made from, and the part of each as a whole number.
function weights(from, start, end, to, filter) {
  const { support, weight } = FILTERS[filter]
  const scale = (end - start) / to
  const stretch = Math.max(1, scale)
  return Array.from({ length: to }, (_, place) => {
    const center = start + (place + 0.5) * scale
    const first = Math.max(0, Math.trunc(center - support * stretch + 0.5))
    const last = Math.min(from, Math.trunc(center + support * stretch + 0.5))
    const inverse = 1 / stretch
    const parts = Array.from({ length: last - first }, (_, at) => weight((at + first - center + 0.5) * inverse))
    const sum = parts.reduce((whole, part) => whole + part, 0)
    const numbers = parts.map((part) => (part / sum) * 2 ** BITS)
    return { first, parts: Int32Array.from(numbers, (number) => Math.trunc(number + (number < 0 ? -0.5 : 0.5))) }
  })
}

// Halves to the even number, as Python does it.
function round(value) {
  const below = Math.floor(value)
  if (value - below !== 0.5) return Math.round(value)
  return below % 2 ? below + 1 : below
}
