// src/data/capture.ts
var e = class extends Error {}, t = class {
	bytes;
	beside;
	header;
	places;
	decoded = /* @__PURE__ */ new Map();
	constructor(t, n) {
		this.bytes = t, this.beside = n;
		let r = t.length < 8 ? Infinity : Number(new DataView(t.buffer, t.byteOffset).getBigUint64(0, !0));
		if (8 + r > t.length) throw new e("this is no capture: it is no whole safetensors file");
		let i = JSON.parse(new TextDecoder().decode(t.subarray(8, 8 + r))), a = i.__metadata__;
		if (!a?.clearhead) throw new e("this is no capture: the safetensors file has no clearhead header");
		if (this.header = JSON.parse(a.clearhead), this.header.version !== 1) throw new e(`the capture has the format version ${this.header.version}; this viewer reads 1`);
		delete i.__metadata__, this.places = i, this.start = 8 + r;
		for (let e of ["tokens", "source_tokens"]) this.header[e]?.forEach((t, r) => Object.assign(t, n.words[e]?.[r]));
	}
	start;
	tensor(t) {
		let r = this.decoded.get(t);
		if (r) return r;
		let i = this.places[t];
		if (!i) throw new e(`the capture lacks the tensor ${t}`);
		let [a, o] = i.data_offsets, s = this.bytes.subarray(this.start + a, this.start + o), c = {
			shape: i.shape,
			data: n(s.byteOffset % 8 ? s.slice() : s, i.dtype)
		};
		return this.decoded.set(t, c), c;
	}
};
function n(t, n) {
	let { buffer: i, byteOffset: a, byteLength: o } = t;
	switch (n) {
		case "F32": return new Float32Array(i, a, o / 4);
		case "F64": return new Float64Array(i, a, o / 8);
		case "I32": return new Int32Array(i, a, o / 4);
		case "I64": return Float64Array.from(new BigInt64Array(i, a, o / 8), Number);
		case "BOOL": return t;
		case "BF16": return new Float32Array(Uint32Array.from(new Uint16Array(i, a, o / 2), (e) => e << 16).buffer);
		case "F16": return Float32Array.from(new Uint16Array(i, a, o / 2), r);
		default: throw new e(`the capture has numbers of the kind ${n}, which is not known here`);
	}
}
function r(e) {
	let t = e & 32768 ? -1 : 1, n = e >> 10 & 31, r = e & 1023;
	return n === 31 ? r ? NaN : t * Infinity : t * (n ? 2 ** (n - 15) * (1 + r / 1024) : 2 ** -24 * r);
}
// src/data/texts.ts
function i(e, t, n, r) {
	if (!e) {
		let e = Array.from({ length: n }, (e, t) => [t, t + 1]);
		return {
			names: e.map(([e]) => `${t + e}`),
			spans: e,
			special: e.map(() => !1),
			first: 0
		};
	}
	if (r === "pieces") {
		let r = Array.from({ length: n }, (e, t) => [t, t + 1]), i = (e) => e.slice(t, t + n), a = i(e.word_of).findIndex((e) => e >= 0);
		return {
			names: i(e.pieces),
			spans: r,
			special: i(e.special),
			first: Math.max(0, a)
		};
	}
	let i = {
		names: [],
		spans: [],
		special: [],
		first: 0
	}, a = -1;
	for (let r = 0; r < n; r++) {
		let n = e.word_of[t + r];
		n < 0 || (n !== a && (i.names.push(e.words[n]), i.special.push(e.word_special[n]), i.spans.push([r, r]), a = n), i.spans[i.spans.length - 1][1] = r + 1);
	}
	return i;
}
var a = /* @__PURE__ */ new WeakMap();
function o(e, t, n, r, o) {
	let { sides: s, queries: c, keys: l } = e.layers[t], u = n ? l : c, [d, f] = s[n] ?? [null, 0], p = `${d} ${f} ${u} ${r} ${o}`, m = a.get(e);
	m || a.set(e, m = /* @__PURE__ */ new Map());
	let h = m.get(p);
	return h || m.set(p, h = i(d && (e.texts[d]?.[r] ?? null), f, u, o)), h;
}
// src/weights/pyramid.ts
var s = class {
	most;
	levels = [];
	bytes = 0;
	turn = 0;
	constructor(e = 96 * 2 ** 20) {
		this.most = e;
	}
	next() {
		this.turn++;
	}
	get(e, t, n) {
		let r = this.levels[e]?.get(`${t}/${n}`);
		return r && (r.turn = this.turn), r?.tile;
	}
	put(e, t, n, r) {
		for (; this.levels.length <= e;) this.levels.push(/* @__PURE__ */ new Map());
		this.levels[e].set(`${t}/${n}`, {
			tile: r,
			turn: this.turn
		}), this.bytes += c(r);
		for (let e of this.levels) for (let [t, n] of e) {
			if (this.bytes <= this.most) return;
			n.turn !== this.turn && (e.delete(t), this.bytes -= c(n.tile));
		}
	}
}, c = (e) => e.mean.byteLength + e.max.byteLength;
// src/weights/weights.ts
function l(e, t, n, r) {
	let [i, a, o] = e;
	return ((i === 1 ? 0 : t) * a + (a === 1 ? 0 : n)) * o + (o === 1 ? 0 : r);
}
function u(e, t) {
	if (t.kind === "both") {
		let n = t.parts.map((t) => u(e, t));
		return (e, t, r, i, a) => n.forEach((n) => n(e, t, r, i, a));
	}
	if (t.kind === "explicit") {
		let { shape: n, data: r } = e.tensor(t.allowed);
		return (e, t, i, a, o) => {
			let s = l(n, t, i, a) * n[3] + o;
			for (let t = 0; t < e.length; t++) r[s + t] === 0 && (e[t] = 0);
		};
	}
	let n = e.tensor(t.starts), r = e.tensor(t.stops), i = t.present === void 0 ? null : e.tensor(t.present);
	return (e, t, a, o, s) => {
		if (e.fill(0, 0, Math.max(0, n.data[l(n.shape, t, a, o)] - s)), e.fill(0, Math.max(0, r.data[l(r.shape, t, a, o)] - s)), !i) return;
		let [c, u, d] = i.shape, f = ((c === 1 ? 0 : t) * u + (u === 1 ? 0 : a)) * d + s;
		for (let t = 0; t < e.length; t++) i.data[f + t] === 0 && (e[t] = 0);
	};
}
var d = 4, f = class {
	capture;
	header;
	batch;
	queries;
	keys;
	forbid;
	constructor(e, t, n) {
		this.capture = e, this.header = t, this.batch = n, [, , this.queries, this.keys] = t.shape, this.forbid = t.mask && t.kind === "factored" ? u(e, t.mask) : null;
	}
	part(e) {
		let t = this.header.tensors[e];
		return t === void 0 ? null : this.capture.tensor(t);
	}
	rows(e, t, n, r) {
		let i = new Float32Array(t.length * r), { header: a, batch: o } = this, [, s, c, u] = a.shape;
		if (a.kind === "stored") {
			let { data: a } = this.part("weights");
			for (let l = 0; l < t.length; l++) {
				let d = ((o * s + e) * c + t[l]) * u + n;
				i.set(a.subarray(d, d + r), l * r);
			}
			return i;
		}
		let f = this.part("q"), m = this.part("k"), h = this.part("lse").data, g = this.part("bias"), _ = f.shape[3], v = Math.floor(e / (s / m.shape[1])), y = ((o * m.shape[1] + v) * u + n) * _, b = (o * s + e) * c, x = new Float64Array(d * _), S = new Float64Array(d * r), C = this.forbid && new Uint8Array(r);
		for (let s = 0; s < t.length; s += d) {
			let c = Math.min(d, t.length - s);
			for (let e = 0; e < c; e++) {
				let n = (b + t[s + e]) * _;
				for (let t = 0; t < _; t++) x[t * d + e] = a.scale * f.data[n + t];
			}
			p(x, m.data, y, S, r);
			for (let f = 0; f < c; f++) {
				let c = t[s + f], p = h[b + c];
				if (p === -Infinity) continue;
				C && this.forbid(C.fill(1), o, e, c, n);
				let m = g ? l(g.shape, o, e, c) * u + n : 0, _ = (s + f) * r;
				if (a.softcap === null && !g && !C) for (let e = 0; e < r; e++) i[_ + e] = Math.exp(S[e * d + f] - p);
				else for (let e = 0; e < r; e++) {
					if (C && C[e] === 0) continue;
					let t = S[e * d + f];
					a.softcap !== null && (t = a.softcap * Math.tanh(t / a.softcap)), g && (t += g.data[m + e]), i[_ + e] = Math.exp(t - p);
				}
			}
		}
		return i;
	}
	products(e, t, n) {
		let r = this.part("q"), i = this.part("k");
		if (!r || !i || this.header.kind === "stored") return null;
		let [, a, o, s] = this.header.shape, c = r.shape[3], l = Math.floor(e / (a / i.shape[1])), u = ((this.batch * a + e) * o + t) * c, d = ((this.batch * i.shape[1] + l) * s + n) * c;
		return Float32Array.from({ length: c }, (e, t) => this.header.scale * r.data[u + t] * i.data[d + t]);
	}
};
function p(e, t, n, r, i) {
	let a = n;
	for (let n = 0; n < i; n++) {
		let [i, o, s, c] = [
			0,
			0,
			0,
			0
		];
		for (let n = 0; n < e.length; n += d, a++) {
			let r = t[a];
			i += e[n] * r, o += e[n + 1] * r, s += e[n + 2] * r, c += e[n + 3] * r;
		}
		r[n * d] = i, r[n * d + 1] = o, r[n * d + 2] = s, r[n * d + 3] = c;
	}
}
// src/weights/cells.ts
var m = 48, h = 96, g = 2 ** 16, _ = .01, v = 1e-30, y = 2, b = (e) => e > y, x = (e, t) => Array.from({ length: t }, (t, n) => e + n), S = class {
	capture;
	lens;
	pyramid;
	known;
	rows;
	columns;
	maps;
	hidden;
	kept = [];
	taken = [];
	isSelf;
	isCross;
	constructor(e, t, n, r = new s(), i = /* @__PURE__ */ new Map()) {
		this.capture = e, this.lens = n, this.pyramid = r, this.known = i;
		let { layers: a } = e.header;
		this.maps = n.heads.map(([t, r]) => ({
			weights: new f(e, a[t].map, n.text),
			head: r,
			header: a[t].map
		}));
		let [[c]] = n.heads, [l, u] = t.layers[c].sides;
		this.isSelf = l !== null && l[0] === u?.[0], this.isCross = u?.[0] === "source_tokens" && l?.[0] !== u[0], this.rows = o(t, c, 0, n.text, n.unit), this.columns = o(t, c, 1, n.text, n.unit);
		let d = n.hide === "special" ? (e) => this.columns.special[e] : (e) => e === this.columns.first;
		if (this.hidden = n.hide === "nothing" ? [] : this.columns.spans.map((e, t) => t).filter(d), !this.hidden.length) return;
		let p = new Set(this.hidden), m = 0;
		this.columns.spans.forEach(([e, t], n) => {
			p.has(n) || (e > m || !this.kept.length ? this.kept.push([e, t]) : this.kept[this.kept.length - 1] = [this.kept[this.kept.length - 1][0], t], m = t);
		}), m = 0;
		for (let [e, t] of [...this.kept, [this.maps[0].weights.keys, 0]]) e > m && this.taken.push([m, e]), m = t;
	}
	block(e, t, n) {
		let r = new Float32Array(e.length * n), i = this.columns.spans[t][0], a = this.columns.spans[t + n - 1][1] - i, o = Math.max(4, Math.ceil(g / a));
		if (this.maps.forEach((s, c) => {
			for (let l = 0; l < e.length;) {
				let [u, d] = [[], l];
				for (; l < e.length && u.length < o; l++) {
					let [t, n] = this.rows.spans[e[l]];
					for (let e = t; e < n; e++) u.push(e);
				}
				let f = s.weights.rows(s.head, u, i, a), p = this.hidden.length ? this.left(c, u) : null;
				this.add(r.subarray(d * n, l * n), e.slice(d, l), f, p, t, n);
			}
		}), this.maps.length > 1) for (let e = 0; e < r.length; e++) r[e] /= this.maps.length;
		return r;
	}
	add(e, t, n, r, i, a) {
		let { spans: o } = this.columns, s = o[i][0], c = o[i + a - 1][1] - s, l = 0;
		t.forEach((t, u) => {
			let d = this.rows.spans[t][1] - this.rows.spans[t][0];
			for (let t = 0; t < d; t++, l++) {
				let t = (r ? Math.abs(r[l]) > v ? 1 / r[l] : 0 : 1) / d, f = l * c;
				if (c === a) for (let r = 0; r < a; r++) e[u * a + r] += n[f + r] * t;
				else for (let r = 0; r < a; r++) {
					let [c, l] = o[i + r], d = 0;
					for (let e = c; e < l; e++) d += n[f + e - s];
					e[u * a + r] += d * t;
				}
			}
		});
		for (let n of this.hidden) {
			let r = n - i;
			if (r >= 0 && r < a) for (let n = 0; n < t.length; n++) e[n * a + r] = 0;
		}
	}
	left(e, t) {
		let n = this.maps[e], r = this.known.get(e);
		r || this.known.set(e, r = new Float32Array(n.weights.queries).fill(NaN));
		let i = r, a = t.filter((e) => Number.isNaN(i[e])), o = a.length ? this.total(n) : null;
		if (o) {
			let e = this.sums(n, a, this.taken);
			a = a.filter((t, n) => (i[t] = o(t) - e[n], !(i[t] >= _)));
		}
		return this.sums(n, a, this.kept).forEach((e, t) => i[a[t]] = e), Float32Array.from(t, (e) => i[e]);
	}
	total({ head: e, header: t }) {
		if (t.kind === "stored") return null;
		let { lse: n, sinks: r } = t.tensors;
		if (r === void 0) return () => 1;
		let [, i, a] = t.shape, o = this.capture.tensor(n).data.subarray((this.lens.text * i + e) * a), s = this.capture.tensor(r).data[e];
		return (e) => 1 - Math.exp(s - o[e]);
	}
	sums(e, t, n) {
		let r = new Float64Array(t.length);
		if (!t.length) return r;
		let i = Math.ceil(g / t.length);
		for (let [a, o] of n) for (let n = a; n < o; n += i) {
			let a = Math.min(i, o - n), s = e.weights.rows(e.head, t, n, a);
			for (let e = 0, n = 0; n < t.length; n++) for (let t = 0; t < a; t++, e++) r[n] += s[e];
		}
		return r;
	}
	meanOfRows(e, t) {
		let n = this.columns.spans.length, r = this.block(x(e, t - e), 0, n);
		return Float32Array.from({ length: n }, (i, a) => {
			let o = 0;
			for (let i = 0; i < t - e; i++) o += r[i * n + a];
			return o / (t - e);
		});
	}
	sumOfColumns(e, t) {
		let n = this.rows.spans.length, r = this.block(x(0, n), e, t - e);
		return Float32Array.from({ length: n }, (n, i) => {
			let a = 0;
			for (let n = 0; n < t - e; n++) a += r[i * (t - e) + n];
			return a;
		});
	}
	look(e, t) {
		if (t) return [this.sum(this.block(x(e[0], e[1] - e[0]), t[0], t[1] - t[0])) / (e[1] - e[0]), t[0]];
		let n = this.meanOfRows(...e), r = this.columns.spans.length - this.rows.spans.length, i = -1;
		return n.forEach((t, a) => {
			!(this.isSelf && a - r >= e[0] && a - r < e[1]) && !this.columns.special[a] && (i < 0 || t > n[i]) && (i = a);
		}), i < 0 ? [0, 0] : [n[i], i];
	}
	sum(e) {
		return e.reduce((e, t) => e + t, 0);
	}
	tile(e, t, n) {
		let r = this.pyramid.get(e, t, n);
		if (r) return r;
		let i = 2 ** e, [a, o] = [this.rows.spans.length, this.columns.spans.length], [s, c] = [t * 256 * i, n * 256 * i], l = Math.ceil(Math.min(256 * i, a - s) / i), u = Math.ceil(Math.min(256 * i, o - c) / i);
		if (!e) {
			let e = this.block(x(s, l), c, u);
			return {
				rows: l,
				columns: u,
				mean: e,
				max: e
			};
		}
		let d = {
			rows: l,
			columns: u,
			mean: new Float32Array(l * u),
			max: new Float32Array(l * u)
		};
		for (let [r, l] of this.below(e, t, n)) {
			let [u, f] = [r - 2 * t, l - 2 * n].map((e) => e * 256 / 2);
			C(this.tile(e - 1, r, l), d, u, f, [a - s, o - c], i);
		}
		return this.pyramid.put(e, t, n, d), d;
	}
	missing(e, t, n) {
		if (!b(e) || this.pyramid.get(e, t, n)) return null;
		for (let [r, i] of this.below(e, t, n)) if (!this.pyramid.get(e - 1, r, i)) return this.missing(e - 1, r, i) ?? [
			e - 1,
			r,
			i
		];
		return null;
	}
	below(e, t, n) {
		let r = 256 * 2 ** (e - 1);
		return [
			[2 * t, 2 * n],
			[2 * t, 2 * n + 1],
			[2 * t + 1, 2 * n],
			[2 * t + 1, 2 * n + 1]
		].filter(([e, t]) => e * r < this.rows.spans.length && t * r < this.columns.spans.length);
	}
	statistics() {
		let [e, t] = [this.rows.spans.length, this.columns.spans.length], n = Math.min(e, h), r = [Math.min(e, m), Math.min(t, m)], i = new Float32Array(r[0] * r[1]), a = x(0, n).map((t) => Math.floor((t + .5) * e / n)), o = Uint8Array.from({ length: t }, (e, n) => Math.floor(n * r[1] / t)), s = this.block(a, 0, t), [c, l, u, d] = [
			0,
			0,
			0,
			0
		];
		a.forEach((n, a) => {
			let f = n + t - e, p = a * t, m = Math.floor(n * r[0] / e) * r[1];
			for (let e = 0; e < t; e++) {
				let t = s[p + e];
				t !== 0 && (c -= t * Math.log(t)), l += t * Math.abs(e - f);
				let n = m + o[e];
				t > i[n] && (i[n] = t);
			}
			u += s[p + this.columns.first], f > 0 && f <= t && (d += s[p + f - 1]);
		}), this.isCross && (l = d = NaN);
		let f = [n, e];
		return {
			entropy: c / n,
			distance: l / n,
			first: u / n,
			previous: d / n,
			sampled: f,
			thumbnail: i,
			side: r
		};
	}
};
function C(e, t, n, r, [i, a], o) {
	let s = o / 2;
	for (let c = 0; 2 * c < e.rows; c++) {
		let l = Math.min(s, i - (n + c) * o), u = Math.max(0, Math.min(s, i - (n + c) * o - s));
		for (let i = 0; 2 * i < e.columns; i++) {
			let d = Math.min(s, a - (r + i) * o), f = Math.max(0, Math.min(s, a - (r + i) * o - s)), p = 2 * c * e.columns + 2 * i, m = p + e.columns, h = (n + c) * t.columns + r + i, g = e.mean[p] * l * d, _ = e.max[p];
			f && (g += e.mean[p + 1] * l * f, _ = Math.max(_, e.max[p + 1])), u && (g += e.mean[m] * u * d, _ = Math.max(_, e.max[m])), f && u && (g += e.mean[m + 1] * u * f, _ = Math.max(_, e.max[m + 1])), t.mean[h] = g / ((l + u) * (d + f)), t.max[h] = _;
		}
	}
}
// src/weights/answers.ts
function w({ header: e, beside: t }) {
	let n = Array.isArray(e.provenance.training_steps), r = new Set(e.layers.filter((e) => e.call > 0).map((e) => e.number));
	return {
		title: String(e.provenance.model ?? "a model"),
		provenance: e.provenance,
		texts: {
			tokens: e.tokens,
			source_tokens: e.source_tokens ?? null
		},
		pictures: e.pictures ?? null,
		batch: e.layers.length && Math.min(...e.layers.map(({ map: e }) => e.shape[0])),
		layers: e.layers.map(({ path: e, call: i, number: a, heads: o, map: s }, c) => ({
			path: e,
			call: i,
			number: a,
			heads: o,
			label: `L${a}${!n && (i || r.has(a)) ? `@${i}` : ""}`,
			queries: s.shape[2],
			keys: s.shape[3],
			hasProducts: s.kind === "factored",
			sides: t.sides[c]
		}))
	};
}
var T = class {
	capture;
	info;
	pyramid = new s();
	left = /* @__PURE__ */ new Map();
	pyramidOf = "";
	constructor(e) {
		this.capture = e, this.info = w(e);
	}
	cells(e) {
		return new S(this.capture, this.info, e);
	}
	tiles(e) {
		let t = JSON.stringify(e);
		return t !== this.pyramidOf && ([this.pyramid, this.left, this.pyramidOf] = [
			new s(),
			/* @__PURE__ */ new Map(),
			t
		]), new S(this.capture, this.info, e, this.pyramid, this.left);
	}
	advance(e) {
		if (e.kind !== "tile") return !1;
		let t = this.tiles(e.lens);
		this.pyramid.next();
		let n = t.missing(e.level, e.y, e.x);
		return n && t.tile(...n), n !== null;
	}
	to(e) {
		switch (e.kind) {
			case "rows": return this.cells(e.lens).meanOfRows(e.from, e.to);
			case "columns": return this.cells(e.lens).sumOfColumns(e.from, e.to);
			case "tile": return this.tiles(e.lens).tile(e.level, e.y, e.x);
			case "looks": return this.looks(e.lens, e.query, e.key);
			case "statistics": return this.cells(e.lens).statistics();
			case "products": {
				let { head: t, text: n, query: r, key: i } = e, a = new f(this.capture, this.capture.header.layers[t[0]].map, n);
				return {
					products: a.products(t[1], r, i),
					weight: a.rows(t[1], [r], i, 1)[0]
				};
			}
		}
	}
	looks(e, t, n) {
		let { layers: r } = this.capture.header, i = r[e.heads[0][0]].map.shape;
		return r.flatMap(({ map: r }, a) => r.shape[2] !== i[2] || r.shape[3] !== i[3] ? [] : Array.from({ length: r.shape[1] }, (r, i) => {
			let [o, s] = this.cells({
				...e,
				heads: [[a, i]]
			}).look(t, n);
			return {
				head: [a, i],
				weight: o,
				key: s
			};
		}));
	}
};
function E(e) {
	return e.kind === "statistics" ? Infinity : e.kind === "tile" && b(e.level) ? e.level : 0;
}
function D(e) {
	let n, r = [], i = !1;
	function a(e) {
		return e.kind === "open" ? (n = new T(new t(e.bytes, e.beside)), n.info) : n.to(e);
	}
	function o(e) {
		r = r.filter((t) => t.id !== e);
	}
	let { port1: s, port2: c } = new MessageChannel();
	return c.onmessage = () => {
		if (!r.length) {
			i = !1;
			return;
		}
		let { id: t, question: c } = r.reduce((e, t) => E(t.question) < E(e.question) ? t : e);
		try {
			c.kind !== "open" && n.advance(c) || (o(t), e({
				id: t,
				value: a(c)
			}));
		} catch (n) {
			o(t), e({
				id: t,
				error: n instanceof Error ? n.message : String(n)
			});
		}
		s.postMessage(null);
	}, (e) => {
		e.question ? (r.push(e), i || (i = !0, s.postMessage(null))) : o(e.id);
	};
}
// src/weights/worker.ts?worker&inline
var O = "(function(){var e=class extends Error{},t=class{bytes;beside;header;places;decoded=/* @__PURE__ */ new Map;constructor(t,n){this.bytes=t,this.beside=n;let r=t.length<8?1/0:Number(new DataView(t.buffer,t.byteOffset).getBigUint64(0,!0));if(8+r>t.length)throw new e(`this is no capture: it is no whole safetensors file`);let i=JSON.parse(new TextDecoder().decode(t.subarray(8,8+r))),a=i.__metadata__;if(!a?.clearhead)throw new e(`this is no capture: the safetensors file has no clearhead header`);if(this.header=JSON.parse(a.clearhead),this.header.version!==1)throw new e(`the capture has the format version ${this.header.version}; this viewer reads 1`);delete i.__metadata__,this.places=i,this.start=8+r;for(let e of[`tokens`,`source_tokens`])this.header[e]?.forEach((t,r)=>Object.assign(t,n.words[e]?.[r]))}start;tensor(t){let r=this.decoded.get(t);if(r)return r;let i=this.places[t];if(!i)throw new e(`the capture lacks the tensor ${t}`);let[a,o]=i.data_offsets,s=this.bytes.subarray(this.start+a,this.start+o),c={shape:i.shape,data:n(s.byteOffset%8?s.slice():s,i.dtype)};return this.decoded.set(t,c),c}};function n(t,n){let{buffer:i,byteOffset:a,byteLength:o}=t;switch(n){case`F32`:return new Float32Array(i,a,o/4);case`F64`:return new Float64Array(i,a,o/8);case`I32`:return new Int32Array(i,a,o/4);case`I64`:return Float64Array.from(new BigInt64Array(i,a,o/8),Number);case`BOOL`:return t;case`BF16`:return new Float32Array(Uint32Array.from(new Uint16Array(i,a,o/2),e=>e<<16).buffer);case`F16`:return Float32Array.from(new Uint16Array(i,a,o/2),r);default:throw new e(`the capture has numbers of the kind ${n}, which is not known here`)}}function r(e){let t=e&32768?-1:1,n=e>>10&31,r=e&1023;return n===31?r?NaN:t*(1/0):t*(n?2**(n-15)*(1+r/1024):2**-24*r)}function i(e,t,n,r){if(!e){let e=Array.from({length:n},(e,t)=>[t,t+1]);return{names:e.map(([e])=>`${t+e}`),spans:e,special:e.map(()=>!1),first:0}}if(r===`pieces`){let r=Array.from({length:n},(e,t)=>[t,t+1]),i=e=>e.slice(t,t+n),a=i(e.word_of).findIndex(e=>e>=0);return{names:i(e.pieces),spans:r,special:i(e.special),first:Math.max(0,a)}}let i={names:[],spans:[],special:[],first:0},a=-1;for(let r=0;r<n;r++){let n=e.word_of[t+r];n<0||(n!==a&&(i.names.push(e.words[n]),i.special.push(e.word_special[n]),i.spans.push([r,r]),a=n),i.spans[i.spans.length-1][1]=r+1)}return i}let a=/* @__PURE__ */ new WeakMap;function o(e,t,n,r,o){let{sides:s,queries:c,keys:l}=e.layers[t],u=n?l:c,[d,f]=s[n]??[null,0],p=`${d} ${f} ${u} ${r} ${o}`,m=a.get(e);m||a.set(e,m=/* @__PURE__ */ new Map);let h=m.get(p);return h||m.set(p,h=i(d&&(e.texts[d]?.[r]??null),f,u,o)),h}var s=class{most;levels=[];bytes=0;turn=0;constructor(e=96*2**20){this.most=e}next(){this.turn++}get(e,t,n){let r=this.levels[e]?.get(`${t}/${n}`);return r&&(r.turn=this.turn),r?.tile}put(e,t,n,r){for(;this.levels.length<=e;)this.levels.push(/* @__PURE__ */ new Map);this.levels[e].set(`${t}/${n}`,{tile:r,turn:this.turn}),this.bytes+=c(r);for(let e of this.levels)for(let[t,n]of e){if(this.bytes<=this.most)return;n.turn!==this.turn&&(e.delete(t),this.bytes-=c(n.tile))}}};let c=e=>e.mean.byteLength+e.max.byteLength;function l(e,t,n,r){let[i,a,o]=e;return((i===1?0:t)*a+(a===1?0:n))*o+(o===1?0:r)}function u(e,t){if(t.kind===`both`){let n=t.parts.map(t=>u(e,t));return(e,t,r,i,a)=>n.forEach(n=>n(e,t,r,i,a))}if(t.kind===`explicit`){let{shape:n,data:r}=e.tensor(t.allowed);return(e,t,i,a,o)=>{let s=l(n,t,i,a)*n[3]+o;for(let t=0;t<e.length;t++)r[s+t]===0&&(e[t]=0)}}let n=e.tensor(t.starts),r=e.tensor(t.stops),i=t.present===void 0?null:e.tensor(t.present);return(e,t,a,o,s)=>{if(e.fill(0,0,Math.max(0,n.data[l(n.shape,t,a,o)]-s)),e.fill(0,Math.max(0,r.data[l(r.shape,t,a,o)]-s)),!i)return;let[c,u,d]=i.shape,f=((c===1?0:t)*u+(u===1?0:a))*d+s;for(let t=0;t<e.length;t++)i.data[f+t]===0&&(e[t]=0)}}var d=class{capture;header;batch;queries;keys;forbid;constructor(e,t,n){this.capture=e,this.header=t,this.batch=n,[,,this.queries,this.keys]=t.shape,this.forbid=t.mask&&t.kind===`factored`?u(e,t.mask):null}part(e){let t=this.header.tensors[e];return t===void 0?null:this.capture.tensor(t)}rows(e,t,n,r){let i=new Float32Array(t.length*r),{header:a,batch:o}=this,[,s,c,u]=a.shape;if(a.kind===`stored`){let{data:a}=this.part(`weights`);for(let l=0;l<t.length;l++){let d=((o*s+e)*c+t[l])*u+n;i.set(a.subarray(d,d+r),l*r)}return i}let d=this.part(`q`),p=this.part(`k`),m=this.part(`lse`).data,h=this.part(`bias`),g=d.shape[3],_=Math.floor(e/(s/p.shape[1])),v=((o*p.shape[1]+_)*u+n)*g,y=(o*s+e)*c,b=new Float64Array(4*g),x=new Float64Array(4*r),S=this.forbid&&new Uint8Array(r);for(let s=0;s<t.length;s+=4){let c=Math.min(4,t.length-s);for(let e=0;e<c;e++){let n=(y+t[s+e])*g;for(let t=0;t<g;t++)b[t*4+e]=a.scale*d.data[n+t]}f(b,p.data,v,x,r);for(let d=0;d<c;d++){let c=t[s+d],f=m[y+c];if(f===-1/0)continue;S&&this.forbid(S.fill(1),o,e,c,n);let p=h?l(h.shape,o,e,c)*u+n:0,g=(s+d)*r;if(a.softcap===null&&!h&&!S)for(let e=0;e<r;e++)i[g+e]=Math.exp(x[e*4+d]-f);else for(let e=0;e<r;e++){if(S&&S[e]===0)continue;let t=x[e*4+d];a.softcap!==null&&(t=a.softcap*Math.tanh(t/a.softcap)),h&&(t+=h.data[p+e]),i[g+e]=Math.exp(t-f)}}}return i}products(e,t,n){let r=this.part(`q`),i=this.part(`k`);if(!r||!i||this.header.kind===`stored`)return null;let[,a,o,s]=this.header.shape,c=r.shape[3],l=Math.floor(e/(a/i.shape[1])),u=((this.batch*a+e)*o+t)*c,d=((this.batch*i.shape[1]+l)*s+n)*c;return Float32Array.from({length:c},(e,t)=>this.header.scale*r.data[u+t]*i.data[d+t])}};function f(e,t,n,r,i){let a=n;for(let n=0;n<i;n++){let[i,o,s,c]=[0,0,0,0];for(let n=0;n<e.length;n+=4,a++){let r=t[a];i+=e[n]*r,o+=e[n+1]*r,s+=e[n+2]*r,c+=e[n+3]*r}r[n*4]=i,r[n*4+1]=o,r[n*4+2]=s,r[n*4+3]=c}}let p=2**16,m=e=>e>2,h=(e,t)=>Array.from({length:t},(t,n)=>e+n);var g=class{capture;lens;pyramid;known;rows;columns;maps;hidden;kept=[];taken=[];isSelf;isCross;constructor(e,t,n,r=new s,i=/* @__PURE__ */ new Map){this.capture=e,this.lens=n,this.pyramid=r,this.known=i;let{layers:a}=e.header;this.maps=n.heads.map(([t,r])=>({weights:new d(e,a[t].map,n.text),head:r,header:a[t].map}));let[[c]]=n.heads,[l,u]=t.layers[c].sides;this.isSelf=l!==null&&l[0]===u?.[0],this.isCross=u?.[0]===`source_tokens`&&l?.[0]!==u[0],this.rows=o(t,c,0,n.text,n.unit),this.columns=o(t,c,1,n.text,n.unit);let f=n.hide===`special`?e=>this.columns.special[e]:e=>e===this.columns.first;if(this.hidden=n.hide===`nothing`?[]:this.columns.spans.map((e,t)=>t).filter(f),!this.hidden.length)return;let p=new Set(this.hidden),m=0;this.columns.spans.forEach(([e,t],n)=>{p.has(n)||(e>m||!this.kept.length?this.kept.push([e,t]):this.kept[this.kept.length-1]=[this.kept[this.kept.length-1][0],t],m=t)}),m=0;for(let[e,t]of[...this.kept,[this.maps[0].weights.keys,0]])e>m&&this.taken.push([m,e]),m=t}block(e,t,n){let r=new Float32Array(e.length*n),i=this.columns.spans[t][0],a=this.columns.spans[t+n-1][1]-i,o=Math.max(4,Math.ceil(p/a));if(this.maps.forEach((s,c)=>{for(let l=0;l<e.length;){let[u,d]=[[],l];for(;l<e.length&&u.length<o;l++){let[t,n]=this.rows.spans[e[l]];for(let e=t;e<n;e++)u.push(e)}let f=s.weights.rows(s.head,u,i,a),p=this.hidden.length?this.left(c,u):null;this.add(r.subarray(d*n,l*n),e.slice(d,l),f,p,t,n)}}),this.maps.length>1)for(let e=0;e<r.length;e++)r[e]/=this.maps.length;return r}add(e,t,n,r,i,a){let{spans:o}=this.columns,s=o[i][0],c=o[i+a-1][1]-s,l=0;t.forEach((t,u)=>{let d=this.rows.spans[t][1]-this.rows.spans[t][0];for(let t=0;t<d;t++,l++){let t=(r?Math.abs(r[l])>1e-30?1/r[l]:0:1)/d,f=l*c;if(c===a)for(let r=0;r<a;r++)e[u*a+r]+=n[f+r]*t;else for(let r=0;r<a;r++){let[c,l]=o[i+r],d=0;for(let e=c;e<l;e++)d+=n[f+e-s];e[u*a+r]+=d*t}}});for(let n of this.hidden){let r=n-i;if(r>=0&&r<a)for(let n=0;n<t.length;n++)e[n*a+r]=0}}left(e,t){let n=this.maps[e],r=this.known.get(e);r||this.known.set(e,r=new Float32Array(n.weights.queries).fill(NaN));let i=r,a=t.filter(e=>Number.isNaN(i[e])),o=a.length?this.total(n):null;if(o){let e=this.sums(n,a,this.taken);a=a.filter((t,n)=>(i[t]=o(t)-e[n],!(i[t]>=.01)))}return this.sums(n,a,this.kept).forEach((e,t)=>i[a[t]]=e),Float32Array.from(t,e=>i[e])}total({head:e,header:t}){if(t.kind===`stored`)return null;let{lse:n,sinks:r}=t.tensors;if(r===void 0)return()=>1;let[,i,a]=t.shape,o=this.capture.tensor(n).data.subarray((this.lens.text*i+e)*a),s=this.capture.tensor(r).data[e];return e=>1-Math.exp(s-o[e])}sums(e,t,n){let r=new Float64Array(t.length);if(!t.length)return r;let i=Math.ceil(p/t.length);for(let[a,o]of n)for(let n=a;n<o;n+=i){let a=Math.min(i,o-n),s=e.weights.rows(e.head,t,n,a);for(let e=0,n=0;n<t.length;n++)for(let t=0;t<a;t++,e++)r[n]+=s[e]}return r}meanOfRows(e,t){let n=this.columns.spans.length,r=this.block(h(e,t-e),0,n);return Float32Array.from({length:n},(i,a)=>{let o=0;for(let i=0;i<t-e;i++)o+=r[i*n+a];return o/(t-e)})}sumOfColumns(e,t){let n=this.rows.spans.length,r=this.block(h(0,n),e,t-e);return Float32Array.from({length:n},(n,i)=>{let a=0;for(let n=0;n<t-e;n++)a+=r[i*(t-e)+n];return a})}look(e,t){if(t)return[this.sum(this.block(h(e[0],e[1]-e[0]),t[0],t[1]-t[0]))/(e[1]-e[0]),t[0]];let n=this.meanOfRows(...e),r=this.columns.spans.length-this.rows.spans.length,i=-1;return n.forEach((t,a)=>{!(this.isSelf&&a-r>=e[0]&&a-r<e[1])&&!this.columns.special[a]&&(i<0||t>n[i])&&(i=a)}),i<0?[0,0]:[n[i],i]}sum(e){return e.reduce((e,t)=>e+t,0)}tile(e,t,n){let r=this.pyramid.get(e,t,n);if(r)return r;let i=2**e,[a,o]=[this.rows.spans.length,this.columns.spans.length],[s,c]=[t*256*i,n*256*i],l=Math.ceil(Math.min(256*i,a-s)/i),u=Math.ceil(Math.min(256*i,o-c)/i);if(!e){let e=this.block(h(s,l),c,u);return{rows:l,columns:u,mean:e,max:e}}let d={rows:l,columns:u,mean:new Float32Array(l*u),max:new Float32Array(l*u)};for(let[r,l]of this.below(e,t,n)){let[u,f]=[r-2*t,l-2*n].map(e=>e*256/2);_(this.tile(e-1,r,l),d,u,f,[a-s,o-c],i)}return this.pyramid.put(e,t,n,d),d}missing(e,t,n){if(!m(e)||this.pyramid.get(e,t,n))return null;for(let[r,i]of this.below(e,t,n))if(!this.pyramid.get(e-1,r,i))return this.missing(e-1,r,i)??[e-1,r,i];return null}below(e,t,n){let r=256*2**(e-1);return[[2*t,2*n],[2*t,2*n+1],[2*t+1,2*n],[2*t+1,2*n+1]].filter(([e,t])=>e*r<this.rows.spans.length&&t*r<this.columns.spans.length)}statistics(){let[e,t]=[this.rows.spans.length,this.columns.spans.length],n=Math.min(e,96),r=[Math.min(e,48),Math.min(t,48)],i=new Float32Array(r[0]*r[1]),a=h(0,n).map(t=>Math.floor((t+.5)*e/n)),o=Uint8Array.from({length:t},(e,n)=>Math.floor(n*r[1]/t)),s=this.block(a,0,t),[c,l,u,d]=[0,0,0,0];a.forEach((n,a)=>{let f=n+t-e,p=a*t,m=Math.floor(n*r[0]/e)*r[1];for(let e=0;e<t;e++){let t=s[p+e];t!==0&&(c-=t*Math.log(t)),l+=t*Math.abs(e-f);let n=m+o[e];t>i[n]&&(i[n]=t)}u+=s[p+this.columns.first],f>0&&f<=t&&(d+=s[p+f-1])}),this.isCross&&(l=d=NaN);let f=[n,e];return{entropy:c/n,distance:l/n,first:u/n,previous:d/n,sampled:f,thumbnail:i,side:r}}};function _(e,t,n,r,[i,a],o){let s=o/2;for(let c=0;2*c<e.rows;c++){let l=Math.min(s,i-(n+c)*o),u=Math.max(0,Math.min(s,i-(n+c)*o-s));for(let i=0;2*i<e.columns;i++){let d=Math.min(s,a-(r+i)*o),f=Math.max(0,Math.min(s,a-(r+i)*o-s)),p=2*c*e.columns+2*i,m=p+e.columns,h=(n+c)*t.columns+r+i,g=e.mean[p]*l*d,_=e.max[p];f&&(g+=e.mean[p+1]*l*f,_=Math.max(_,e.max[p+1])),u&&(g+=e.mean[m]*u*d,_=Math.max(_,e.max[m])),f&&u&&(g+=e.mean[m+1]*u*f,_=Math.max(_,e.max[m+1])),t.mean[h]=g/((l+u)*(d+f)),t.max[h]=_}}}function v({header:e,beside:t}){let n=Array.isArray(e.provenance.training_steps),r=new Set(e.layers.filter(e=>e.call>0).map(e=>e.number));return{title:String(e.provenance.model??`a model`),provenance:e.provenance,texts:{tokens:e.tokens,source_tokens:e.source_tokens??null},pictures:e.pictures??null,batch:e.layers.length&&Math.min(...e.layers.map(({map:e})=>e.shape[0])),layers:e.layers.map(({path:e,call:i,number:a,heads:o,map:s},c)=>({path:e,call:i,number:a,heads:o,label:`L${a}${!n&&(i||r.has(a))?`@${i}`:``}`,queries:s.shape[2],keys:s.shape[3],hasProducts:s.kind===`factored`,sides:t.sides[c]}))}}var y=class{capture;info;pyramid=new s;left=/* @__PURE__ */ new Map;pyramidOf=``;constructor(e){this.capture=e,this.info=v(e)}cells(e){return new g(this.capture,this.info,e)}tiles(e){let t=JSON.stringify(e);return t!==this.pyramidOf&&([this.pyramid,this.left,this.pyramidOf]=[new s,/* @__PURE__ */ new Map,t]),new g(this.capture,this.info,e,this.pyramid,this.left)}advance(e){if(e.kind!==`tile`)return!1;let t=this.tiles(e.lens);this.pyramid.next();let n=t.missing(e.level,e.y,e.x);return n&&t.tile(...n),n!==null}to(e){switch(e.kind){case`rows`:return this.cells(e.lens).meanOfRows(e.from,e.to);case`columns`:return this.cells(e.lens).sumOfColumns(e.from,e.to);case`tile`:return this.tiles(e.lens).tile(e.level,e.y,e.x);case`looks`:return this.looks(e.lens,e.query,e.key);case`statistics`:return this.cells(e.lens).statistics();case`products`:{let{head:t,text:n,query:r,key:i}=e,a=new d(this.capture,this.capture.header.layers[t[0]].map,n);return{products:a.products(t[1],r,i),weight:a.rows(t[1],[r],i,1)[0]}}}}looks(e,t,n){let{layers:r}=this.capture.header,i=r[e.heads[0][0]].map.shape;return r.flatMap(({map:r},a)=>r.shape[2]!==i[2]||r.shape[3]!==i[3]?[]:Array.from({length:r.shape[1]},(r,i)=>{let[o,s]=this.cells({...e,heads:[[a,i]]}).look(t,n);return{head:[a,i],weight:o,key:s}}))}};function b(e){return e.kind===`statistics`?1/0:e.kind===`tile`&&m(e.level)?e.level:0}function x(e){let n,r=[],i=!1;function a(e){return e.kind===`open`?(n=new y(new t(e.bytes,e.beside)),n.info):n.to(e)}function o(e){r=r.filter(t=>t.id!==e)}let{port1:s,port2:c}=new MessageChannel;return c.onmessage=()=>{if(!r.length){i=!1;return}let{id:t,question:c}=r.reduce((e,t)=>b(t.question)<b(e.question)?t:e);try{c.kind!==`open`&&n.advance(c)||(o(t),e({id:t,value:a(c)}))}catch(n){o(t),e({id:t,error:n instanceof Error?n.message:String(n)})}s.postMessage(null)},e=>{e.question?(r.push(e),i||(i=!0,s.postMessage(null))):o(e.id)}}let S=x(e=>self.postMessage(e));self.onmessage=({data:e})=>S(e),self.postMessage(null)})();", ee = typeof self < "u" && self.Blob && new Blob(["(self.URL || self.webkitURL).revokeObjectURL(self.location.href);", O], { type: "text/javascript;charset=utf-8" });
function te(e) {
	let t;
	try {
		if (t = ee && (self.URL || self.webkitURL).createObjectURL(ee), !t) throw "";
		let n = new Worker(t, { name: e?.name });
		return n.addEventListener("error", () => {
			(self.URL || self.webkitURL).revokeObjectURL(t);
		}), n;
	} catch {
		return new Worker("data:text/javascript;charset=utf-8," + encodeURIComponent(O), { name: e?.name });
	}
}
// src/weights/local.ts
async function ne(e, t) {
	let n = null;
	try {
		n = new te(), await re(n);
	} catch {
		n?.terminate();
		let t = D(e), r = !1;
		return {
			send: (e) => r || t(e),
			close: () => void (r = !0)
		};
	}
	let r = n;
	return r.onmessage = ({ data: t }) => e(t), r.onerror = (e) => {
		e.preventDefault(), t(Error(e.message || "the worker that computes the weights has stopped; load the page again"));
	}, {
		send: (e, t = []) => r.postMessage(e, t),
		close: () => r.terminate()
	};
}
function re(e) {
	return new Promise((t, n) => {
		e.onmessage = () => t(), e.onerror = (e) => {
			e.preventDefault(), n(Error(e.message));
		};
	});
}
async function ie(e, t) {
	let n = /* @__PURE__ */ new Map(), r = 0, { send: i, close: a } = await ne((e) => {
		let t = n.get(e.id);
		n.delete(e.id), e.error === void 0 ? t?.done(e.value) : t?.fail(Error(e.error));
	}, (e) => {
		for (let { fail: t } of n.values()) t(e);
		n.clear();
	}), o = (e, t, a = []) => new Promise((o, s) => {
		let c = ++r;
		n.set(c, {
			done: o,
			fail: s
		}), i({
			id: c,
			question: e
		}, a), t?.addEventListener("abort", () => {
			n.delete(c) && (i({
				id: c,
				question: null
			}), s(new DOMException("no longer wanted", "AbortError")));
		});
	});
	return {
		info: await o({
			kind: "open",
			bytes: e,
			beside: t
		}, void 0, [e.buffer]).catch((e) => {
			throw a(), e;
		}),
		rows: (e, t, n, r) => o({
			kind: "rows",
			lens: e,
			from: t,
			to: n
		}, r),
		columns: (e, t, n, r) => o({
			kind: "columns",
			lens: e,
			from: t,
			to: n
		}, r),
		tile: (e, t, n, r, i) => o({
			kind: "tile",
			lens: e,
			level: t,
			y: n,
			x: r
		}, i),
		products: (e, t, n, r) => o({
			kind: "products",
			head: e,
			text: t,
			query: n,
			key: r
		}),
		looks: (e, t, n, r) => o({
			kind: "looks",
			lens: e,
			query: t,
			key: n
		}, r),
		statistics: (e, t, n) => o({
			kind: "statistics",
			lens: {
				...t,
				heads: [e]
			}
		}, n),
		close: a
	};
}
// node_modules/preact/dist/preact.mjs
var k, ae, oe, se, ce, le, ue, de, fe, pe, me, he = Symbol.for("pv"), ge = {}, _e = [], ve = /^m(i|n|o|s|text|space)$/, ye = Array.isArray, be = _e.slice, xe = Object.assign;
function Se(e) {
	e && e.parentNode && e.remove();
}
function Ce(e, t, n) {
	var r, i, a, o = {}, s = arguments.length;
	for (a in t) a == "key" ? r = t[a] : a == "ref" && typeof e != "function" ? i = t[a] : o[a] = t[a];
	return s > 2 && (o.children = s > 3 ? be.call(arguments, 2) : n), we(e, o, r, i, null);
}
function we(e, t, n, r, i) {
	var a = {
		type: e,
		props: t,
		key: n,
		ref: r,
		__k: null,
		__: null,
		__b: 0,
		__e: null,
		__c: null,
		constructor: he,
		__v: i || ++ae,
		__i: -1,
		__u: 0
	};
	return !i && k.vnode && k.vnode(a), a;
}
function A(e) {
	return e.children;
}
function Te(e, t) {
	this.props = e, this.context = t, this.__g = 0;
}
function Ee(e, t) {
	if (t == null) return e.__ && Ee(e.__, e.__i + 1);
	for (var n; t < e.__k.length; t++) if ((n = e.__k[t]) && n.__e) return n.__e;
	return typeof e.type != "function" || e.props.__P ? null : Ee(e);
}
function De(e) {
	var t, n = e.__v, r = n.__e, i = [], a = [], o = e.__P;
	o && ((t = xe({ constructor: he }, n)).__v = n.__v + 1, k.vnode && k.vnode(t), Re(o, t, n, e.__n, o.namespaceURI, 32 & n.__u ? [r] : null, i, r || Ee(n), 32 & n.__u, a), t.__v = n.__v, t.__.__k[t.__i] = t, Ve(i, t, a), n.__ = n.__e = null, t.__e != r && Oe(t));
}
function Oe(e) {
	if ((e = e.__) && e.__c && !e.props.__P) return e.__e = null, e.__k.some(function(t) {
		return t && (e.__e = t.__e);
	}), Oe(e);
}
function ke(e) {
	(8 & e.__g || (e.__g |= 8, se.push(e), le++)) && ce == k.debounceRendering || ((ce = k.debounceRendering) || queueMicrotask)(Ae);
}
function Ae() {
	try {
		for (var e, t = 1; se.length;) se.length > t && se.sort(ue), e = se.shift(), t = se.length, 8 & e.__g && De(e);
	} finally {
		(le = se.length) && (ce || queueMicrotask)(Ae);
	}
}
function je(e, t, n, r, i, a, o, s, c, l, u) {
	var d, f, p, m, h, g, _ = r.__k || _e, v = t.length;
	for (c = Me(n, t, _, c, v), d = 0; d < v; d++) (p = n.__k[d]) != null && (f = ~p.__i && _[p.__i] || ge, p.__i = d, g = Re(e, p, f, i, a, o, s, c, l, u), m = p.__e, (f.ref != p.ref || 8 & f.__u) && (f.ref && Ue(f.ref, null, p, f), p.ref && u.push(p.ref, p.__c || m, p)), h ||= m, 4 & p.__u ? (c = Ne(p, c, e, !f.__v), f.__e && (f.__e = null)) : typeof p.type == "function" && g !== void 0 ? c = g : m && (c = m.nextSibling), p.__u &= -21);
	return n.__e = h, c;
}
function Me(e, t, n, r, i) {
	var a, o, s, c, l, u, d, f, p, m = n.length, h = m, g = 0, _ = 0, v = e.__k = Array(i);
	for (a = 0; a < i; a++) (o = t[a]) != null && typeof o != "boolean" && typeof o != "function" ? (typeof o != "object" || o.constructor === String ? o = v[a] = we(null, o) : ye(o) ? o = v[a] = we(A, { children: o }) : o.constructor === he && o.__b ? o = v[a] = we(o.type, o.props, o.key, o.ref, o.__v) : v[a] = o, c = a + g, o.__ = e, o.__b = e.__b + 1, s = null, ~(l = o.__i = Pe(o, n, c, h)) && (h--, (s = n[l]) && (s.__u |= 2)), s && s.__v ? (o.__u |= 16, l == c - 1 ? g-- : l == c + 1 ? g++ : l != c && (l > c ? g-- : g++, _ = 1)) : (~l || (i > m ? g-- : i < m && g++), typeof o.type != "function" && (o.__u |= 4))) : v[a] = null;
	if (_) {
		for (u = [], d = [], a = 0; a < i; a++) if ((o = v[a]) && 16 & o.__u) {
			for (g = 0, f = u.length; g < f;) u[p = g + f >> 1] < o.__i ? g = p + 1 : f = p;
			u[g] = o.__i, d[a] = g + 1;
		}
		for (g = u.length; a--;) d[a] && (d[a] == g ? g-- : v[a].__u |= 4);
	}
	if (h) for (a = 0; a < m; a++) !(s = n[a]) || 2 & s.__u || (s.__e == r && (r = Ee(s)), We(s, s));
	return r;
}
function Ne(e, t, n, r) {
	var i, a, o, s;
	if (typeof e.type == "function") {
		if (e.props.__P) return t;
		if (i = e.__k) for (a = 0; a < i.length; a++) i[a] && (i[a].__ = e, t = Ne(i[a], t, n, !1));
		return t;
	}
	for (t && !t.parentNode && (t = Ee(e)) && !t.parentNode && (t = null), o = e.__e, s = t; s && s.nodeType == 8;) s = s.nextSibling;
	for (o != s && (!r && n.moveBefore && o.parentNode ? n.moveBefore(o, t) : n.insertBefore(o, t || null)), t = o; (t &&= t.nextSibling) && t.nodeType == 8 && !t.data.startsWith("$s"););
	return t;
}
function Pe(e, t, n, r) {
	var i, a = e.key, o = e.type, s = t[n], c = s && !(2 & s.__u);
	if (s === null && a == null || c && a == s.key && o == s.type) return n;
	if (r > +!!c) {
		for (i = n - 1; i >= 0; i--) if ((s = t[i]) && !(2 & s.__u) && a == s.key && o == s.type) return i;
		for (i = n + 1; i < t.length; i++) if ((s = t[i]) && !(2 & s.__u) && a == s.key && o == s.type) return i;
	}
	return -1;
}
function Fe(e, t, n) {
	n ??= "", t[0] == "-" ? e.setProperty(t, n) : e[t] = n;
}
function Ie(e, t, n, r, i) {
	var a, o;
	if (t == "style") {
		if (typeof n == "string") e.style.cssText = n;
		else {
			if (typeof r == "string" && (e.style.cssText = r = ""), r) for (t in r) n && t in n || Fe(e.style, t);
			if (n) for (t in n) r && n[t] == r[t] || Fe(e.style, t, n[t]);
		}
	} else if (t[0] == "o" && t[1] == "n") typeof n != "function" && (n = null), typeof r != "function" && (r = null), (e.__e ||= {})[t] = n, n && r || (o = me[t] || (me[t] = Le(t)), (e.__a ||= {})[t] = pe, a = t != (t = t.replace(fe, "$1")), (t = t.slice(2))[0] < "a" && (t = t.toLowerCase()), n ? e.addEventListener(t, o, a) : e.removeEventListener(t, o, a));
	else {
		if (i == "http://www.w3.org/2000/svg") t = t.replace(/xlink(H|:h)/, "h").replace(/sName$/, "s");
		else if (t != "width" && t != "height" && t != "href" && t != "list" && t != "form" && t != "tabIndex" && t != "download" && t != "rowSpan" && t != "colSpan" && t != "role" && t != "popover" && t in e) try {
			e[t] = n ?? "";
			return;
		} catch {}
		if (typeof n == "function") return;
		n == null || !1 === n && t[4] != "-" ? e.removeAttribute(t) : e.setAttribute(t, t == "popover" && n == 1 ? "" : n);
	}
}
function Le(e) {
	return function(t) {
		var n = this.__e;
		if (n) {
			if (n = n[e], t[de] == null) t[de] = pe++;
			else if (t[de] < this.__a[e]) return;
			return n(k.event ? k.event(t) : t);
		}
	};
}
function Re(e, t, n, r, i, a, o, s, c, l) {
	var u, d, f, p, m, h, g, _, v, y, b, x, S, C, w, T, E, D, O = t.type;
	if (t.constructor !== he) return null;
	128 & n.__u && (c = 32 & n.__u, u = n.__c.__z) && (t.__u |= c, d = a = [], u.nodeType == 8 ? s = ze(u, a) : a.push(u), s = a[0] || s), (u = k.__b) && u(t);
	n: if (typeof O == "function") {
		f = o.length;
		try {
			if (_ = t.props, v = (u = O.prototype) && u.render, y = (u = O.contextType) && r[u.__c], b = u ? y ? y.props.value : u.__ : r, (p = n.__c) ? (t.__c = p, 2 & p.__g && (p.__g |= 1)) : (v ? t.__c = p = new O(_, b) : (t.__c = p = new Te(_, b), p.constructor = O, p.render = Ge), y && y.sub(p), p.state || (p.state = {}), p.__n = r, p.__g |= 8, p.__h = [], p.__k = []), v && (p.__s || (p.__s = p.state), O.getDerivedStateFromProps && (p.__s == p.state && (p.__s = xe({}, p.__s)), xe(p.__s, O.getDerivedStateFromProps(_, p.__s)))), m = p.props, h = p.state, p.__v = t, n.__c) {
				if (_ !== m && v && !O.getDerivedStateFromProps && p.componentWillReceiveProps && p.componentWillReceiveProps(_, b), t.__v == n.__v && !(8 & p.__g) || !(4 & p.__g) && p.shouldComponentUpdate && !1 === p.shouldComponentUpdate(_, p.__s, b)) {
					t.__v != n.__v && (p.props = _, p.state = p.__s, p.__g &= -9), t.__e = n.__e, t.__k = n.__k, t.__k.some(function(e) {
						e && (e.__ = t);
					}), _e.push.apply(p.__h, p.__k), p.__k = [], p.__h.length && o.push(p), s = Ee(n);
					break n;
				}
				p.componentWillUpdate && p.componentWillUpdate(_, p.__s, b), v && p.componentDidUpdate && p.__h.push(function() {
					p.componentDidUpdate(m, h, g);
				});
			} else v && !O.getDerivedStateFromProps && p.componentWillMount && p.componentWillMount(), v && p.componentDidMount && p.__h.push(p.componentDidMount);
			p.context = b, p.props = _, p.__P = e, p.__g &= -5, x = k.__r, S = v ? 25 : 0;
			do
				p.__g &= -9, x && x(t), u = p.render(p.props, p.state = p.__s, p.context);
			while (8 & p.__g && ++S < 25);
			v && (_e.push.apply(p.__h, p.__k), p.__k = []), p.state = p.__s, p.getChildContext && (r = xe({}, r, p.getChildContext())), v && n.__c && p.getSnapshotBeforeUpdate && (g = p.getSnapshotBeforeUpdate(m, h)), C = u && u.type === A && u.key == null ? u.props.children : u, _.__P && (u = s, i = (e = _.__P).namespaceURI, c = a = null, n.props && n.props.__P != e && (n.__k.some(function(e) {
				e && We(e, e);
			}), n.__k = null), s = n.__k ? Ee(n, 0) : null), s = je(e, ye(C) ? C : [C], t, n, r, i, a, o, s, c, l), _.__P && (t.__e = null, s = u), t.__u &= -161, d && d.some(Se), p.__h.length && o.push(p), 1 & p.__g && (p.__g &= -4);
		} catch (e) {
			if (o.length = f, t.__v = null, c || a) {
				if (e && e.then) {
					if (t.__u |= 128 | c, a) {
						for (~(E = a.indexOf(s || void 0)) || (E = a.length); (D = a[E - 1]) && D.nodeType == 8;) E--;
						for (; E < a.length; E++) if (D = a[E]) {
							if (a[E] = null, w) {
								if (D == T) break;
							} else {
								if (D.nodeType != 8) break;
								D.data.startsWith("$s") && (T = ze(w = D));
							}
						}
					}
					if (!w) {
						for (; s && s.nodeType == 8 && s.nextSibling;) s = s.nextSibling;
						w = s;
					}
					(u = ze(w = t.__c.__z || (t.__c.__z = w))) ? (t.__e = w, s = u) : t.__e = s, s &&= s.nextSibling;
				} else a && a.some(Se);
			} else t.__e = n.__e;
			t.__k ||= n.__k || [], e && e.then || Be(t), k.__e(e, t, n);
		}
	} else s = t.__e = He(n.__e, t, n, r, i, a, o, c, l, e);
	return (u = k.diffed) && u(t), s;
}
function ze(e, t) {
	if (e && e.nodeType == 8 && e.data.startsWith("$s")) for (var n = 1; e = e.nextSibling;) {
		if (e.nodeType == 8) {
			if (e.data.startsWith("$s")) n++;
			else if (e.data.startsWith("/$s") && !--n) return e;
		}
		t && t.push(e);
	}
}
function Be(e) {
	e && (e.__c && (e.__c.__g |= 4), e.__k && e.__k.some(Be));
}
function Ve(e, t, n) {
	for (var r = 0; r < n.length;) Ue(n[r++], n[r++], n[r++]);
	k.__c && k.__c(t, e), e.some(function(t) {
		try {
			e = t.__h, t.__h = [], e.some(function(e) {
				e.call(t);
			});
		} catch (e) {
			k.__e(e, t.__v);
		}
	});
}
function He(e, t, n, r, i, a, o, s, c, l) {
	var u, d, f, p, m, h, g, _, v = n.props || ge, y = t.props, b = t.type;
	if (b == "svg" ? i = "http://www.w3.org/2000/svg" : b == "math" ? i = "http://www.w3.org/1998/Math/MathML" : i ||= "http://www.w3.org/1999/xhtml", a) {
		for (u = 0; u < a.length; u++) if ((m = a[u]) && (b ? m.localName == b : m.nodeType == 3)) {
			e = m, a[u] = null;
			break;
		}
	}
	if (!e) {
		if (_ = l.ownerDocument || document, !b) return _.createTextNode(y);
		e = _.createElementNS(i, b, y.is ? y : l), s &&= (k.__m && k.__m(t, a), !1), a = null;
	}
	if (b) {
		if (l = b == "template" && e.content || e, a = b == "textarea" && y.defaultValue != null ? null : a && be.call(l.childNodes), !s && a) for (v = {}, u = 0; u < e.attributes.length; u++) v[(m = e.attributes[u]).name] = m.value;
		for (u in v) m = v[u], u == "dangerouslySetInnerHTML" ? f = m : u == "children" || u in y || u == "value" && "defaultValue" in y || u == "checked" && "defaultChecked" in y || Ie(e, u, null, m, i);
		for (u in y) m = y[u], u == "children" ? p = m : u == "dangerouslySetInnerHTML" ? d = m : u == "value" ? h = m : u == "checked" ? g = m : s && typeof m != "function" || v[u] === m || Ie(e, u, m, v[u], i);
		d ? (s || f && (d.__html == f.__html || d.__html == e.innerHTML) || (e.innerHTML = d.__html), t.__k = []) : (f && (e.textContent = ""), (b == "foreignObject" || i == "http://www.w3.org/1998/Math/MathML" && ve.test(b)) && (i = "http://www.w3.org/1999/xhtml"), je(l, ye(p) ? p : [p], t, n, r, i, a, o, a ? a[0] : n.__k && Ee(n, 0), s, c), a && a.some(Se)), s && b != "textarea" || (u = "value", b == "progress" && h == null ? e.removeAttribute(u) : h == null || h === e[u] && (b != "progress" || h) || Ie(e, u, h, v[u], i), u = "checked", g != null && g != e[u] && Ie(e, u, g, v[u], i));
	} else v === y || s && e.data == y || (e.data = y);
	return e;
}
function Ue(e, t, n, r) {
	try {
		typeof e == "function" ? t ? t.__x = e(t) || 1 : (r &&= r.__c || r.__e) && (t = r.__x) && (r.__x = null, typeof t == "function" ? t() : e(null)) : e.current = t;
	} catch (e) {
		k.__e(e, n);
	}
}
function We(e, t, n) {
	var r, i, a, o;
	if (k.unmount && k.unmount(e), !(r = e.ref) || r.current && r.current != e.__e || Ue(r, null, t, e), r = e.__c) {
		if (r.componentWillUnmount) try {
			r.componentWillUnmount();
		} catch (e) {
			k.__e(e, t);
		}
		r.__P = r.__n = null;
	}
	if (r = e.__k) for (o = 0; o < r.length; o++) r[o] && We(r[o], t, typeof e.type != "function" || n && !e.props.__P);
	!n && (r = e.__c) && (r = r.__z) && (i = ze(r, a = [])) && (r == e.__e && a.some(Se), Se(i), Se(r)), n || Se(e.__e), e.__e = e.__c = e.__ = null;
}
function Ge(e, t, n) {
	return this.constructor(e, n);
}
function Ke(e, t) {
	var n, r, i, a;
	k.__ && k.__(e, t), t.nodeType == 9 && (t = t.documentElement), r = (n = e && 32 & e.__u) ? null : t.__k, t.__k = we(A, { children: [e] }), i = [], a = [], Re(t, t.__k, r || ge, ge, t.namespaceURI, r ? null : t.firstChild ? be.call(t.childNodes) : null, i, r ? r.__e : t.firstChild, n, a), Ve(i, t.__k, a), t.__k.props.children = null;
}
k = { __e: function(e, t, n, r) {
	for (var i, a, o; t = t.__;) if ((i = t.__c) && !(1 & i.__g)) {
		i.__g |= 4;
		try {
			if ((o = (a = i.constructor) && a.getDerivedStateFromError) && i.setState(a.getDerivedStateFromError(e)), i.componentDidCatch && (i.componentDidCatch(e, r || {}), o = 1), o && 8 & i.__g) return void (i.__g |= 2);
		} catch (t) {
			e = t;
		}
	}
	throw le = 0, e;
} }, ae = 0, oe = function(e) {
	return e != null && e.constructor === he;
}, Te.prototype.setState = function(e, t) {
	var n = this.__s;
	n && n != this.state || (n = this.__s = xe({}, this.state)), typeof e == "function" && (e = e(xe({}, n), this.props)), e && (xe(n, e), this.__v && (t && this.__k.push(t), ke(this)));
}, Te.prototype.forceUpdate = function(e) {
	this.__v && (this.__g |= 4, e && this.__h.push(e), ke(this));
}, Te.prototype.render = A, se = [], le = 0, ue = function(e, t) {
	return e.__v.__b - t.__v.__b;
}, de = Symbol(), fe = /(PointerCapture)$|Capture$/i, pe = 0, me = {};
// node_modules/preact/hooks/dist/hooks.mjs
var qe, j, Je, Ye, Xe = Object.is, Ze = 0, Qe = [], $e = [], M = k, et = M.__b, tt = M.__r, nt = M.diffed, rt = M.__c, it = M.unmount, at = M.__;
function ot(e, t) {
	M.__h && M.__h(j, e, Ze || t), Ze = 0;
	var n = j.__H || (j.__H = {
		__: [],
		__h: []
	});
	return e >= n.__.length && n.__.push({}), n.__[e];
}
function N(e, t) {
	var n = ot(qe++, 3);
	!M.__s && ht(n.__H, t) && (n.__P = !0, n.__ = e, n.u = t, j.__H.__h.push(n));
}
function P(e) {
	return Ze = 5, st(function() {
		return { current: e };
	}, []);
}
function st(e, t) {
	var n = ot(qe++, 7);
	return ht(n.__H, t) && (n.__ = e(), n.__H = t), n.__;
}
function ct() {
	var e = ot(qe++, 11);
	if (!e.__) {
		for (var t = j.__v; !t.__m && t.__;) t = t.__;
		var n = t.__m || (t.__m = [0, 0]);
		e.__ = "P" + n[0] + "-" + n[1]++;
	}
	return e.__;
}
function lt() {
	var e;
	do {
		for (; e = $e.shift();) try {
			pt(e);
		} catch (t) {
			M.__e(t, { __: (e = e.__P) && e.__v });
		}
		for (; e = Qe.shift();) {
			var t = e.__H;
			if (e.__P && t) try {
				t.__h.some(pt), t.__h.some(mt), t.__h = [];
			} catch (n) {
				t.__h = [], M.__e(n, e.__v);
			}
		}
	} while ($e.length);
}
M.__b = function(e) {
	j = null, et && et(e);
}, M.__ = function(e, t) {
	e && t.__k && t.__k.__m && (e.__m = t.__k.__m), at && at(e, t);
}, M.__r = function(e) {
	tt && tt(e), qe = 0;
	var t = (j = e.__c).__H;
	t && (Je == j ? j.__h = [] : (t.__h.some(pt), t.__h.some(mt), qe = 0), t.__h = [], t.__.some(function(e) {
		e.__N && (e.__ = e.__N), e.u = e.__N = void 0;
	})), Je = j;
}, M.diffed = function(e) {
	nt && nt(e);
	var t = e.__c;
	t && t.__H && (t.__H.__h.length && ft(Qe.push(t)), t.__H.__.some(function(e) {
		e.u && (e.__H = e.u);
	})), Je = j = null;
}, M.__c = function(e, t) {
	t.some(function(e) {
		try {
			e.__h.some(pt), e.__h = e.__h.filter(function(e) {
				return !e.__ || mt(e);
			});
		} catch (t) {
			e.__h = [function() {
				throw t;
			}];
		}
	}), rt && rt(e, t);
}, M.unmount = function(e) {
	it && it(e);
	var t, n, r = e.__c;
	r && r.__H && (r.__H.__.some(function(r) {
		try {
			if (r.__P && r.__c) {
				if (n === void 0) {
					for (n = e.__; n && (!n.__c || !n.__c.__P);) n = n.__;
					n &&= n.__c;
				}
				r.__P = n, ft($e.push(r));
			} else pt(r);
		} catch (e) {
			t = e;
		}
	}), r.__H = void 0, t && M.__e(t, r.__v));
};
var ut = typeof requestAnimationFrame == "function";
function dt(e) {
	var t, n = function() {
		clearTimeout(r), ut && cancelAnimationFrame(t), setTimeout(e);
	}, r = setTimeout(n, 35);
	ut && (t = requestAnimationFrame(n));
}
function ft(e) {
	e != 1 && Ye == M.requestAnimationFrame || ((Ye = M.requestAnimationFrame) || dt)(lt);
}
function pt(e) {
	var t = j, n = e.__c;
	typeof n == "function" && (e.__c = void 0, n()), j = t;
}
function mt(e) {
	var t = j;
	e.__c = e.__(), j = t;
}
function ht(e, t) {
	return !e || e.length != t.length || t.some(function(t, n) {
		return !Xe(t, e[n]);
	});
}
// node_modules/@preact/signals-core/dist/signals-core.module.js
var gt = Symbol.for("preact-signals");
function _t() {
	if (I > 1) I--;
	else {
		var e, t = !1;
		for ((function() {
			var e = Tt;
			for (Tt = void 0; e !== void 0;) {
				var t = e.S;
				if (t.v === e.v) for (var n = t.t; n !== void 0; n = n.x) n.i === e.i && (n.i = t.i);
				e = e.o;
			}
		})(); xt !== void 0;) {
			var n = xt;
			for (xt = void 0, St++; n !== void 0;) {
				var r = n.u;
				if (n.u = void 0, n.f &= -3, !(8 & n.f) && Ot(n)) try {
					n.c();
				} catch (n) {
					t ||= (e = n, !0);
				}
				n = r;
			}
		}
		if (St = 0, I--, t) throw e;
	}
}
function vt(e) {
	if (I > 0) return e();
	wt = ++Ct, I++;
	try {
		return e();
	} finally {
		_t();
	}
}
var yt, F = void 0;
function bt(e) {
	var t = F, n = yt;
	F = void 0, yt = void 0;
	try {
		return e();
	} finally {
		F = t, yt = n;
	}
}
var xt = void 0, I = 0, St = 0, Ct = 0, wt = 0, Tt = void 0, Et = 0;
function Dt(e) {
	if (F !== void 0) {
		var t = e.n;
		if (t === void 0 || t.t !== F) return t = {
			i: 0,
			S: e,
			p: F.s,
			n: void 0,
			t: F,
			e: void 0,
			x: void 0,
			r: t
		}, F.s !== void 0 && (F.s.n = t), F.s = t, e.n = t, 32 & F.f && e.S(t), t;
		if (t.i === -1) return t.i = 0, t.n !== void 0 && (t.n.p = t.p, t.p !== void 0 && (t.p.n = t.n), t.p = F.s, t.n = void 0, F.s.n = t, F.s = t), t;
	}
}
function L(e, t) {
	this.v = e, this.i = 0, this.n = void 0, this.t = void 0, this.l = 0, this.W = t?.watched, this.Z = t?.unwatched, this.name = t?.name;
}
L.prototype.brand = gt, L.prototype.h = function() {
	return !0;
}, L.prototype.S = function(e) {
	var t = this, n = this.t;
	n !== e && e.e === void 0 && (e.x = n, this.t = e, n === void 0 ? bt(function() {
		var e;
		(e = t.W) == null || e.call(t);
	}) : n.e = e);
}, L.prototype.U = function(e) {
	var t = this;
	if (this.t !== void 0) {
		var n = e.e, r = e.x;
		n !== void 0 && (n.x = r, e.e = void 0), r !== void 0 && (r.e = n, e.x = void 0), e === this.t && (this.t = r, r === void 0 && bt(function() {
			var e;
			(e = t.Z) == null || e.call(t);
		}));
	}
}, L.prototype.subscribe = function(e) {
	var t = this;
	return B(function() {
		var n = t.value;
		bt(function() {
			return e(n);
		});
	}, { name: "sub" });
}, L.prototype.valueOf = function() {
	return this.value;
}, L.prototype.toString = function() {
	return this.value + "";
}, L.prototype.toJSON = function() {
	return this.value;
}, L.prototype.peek = function() {
	var e = this;
	return bt(function() {
		return e.value;
	});
}, Object.defineProperty(L.prototype, "value", {
	get: function() {
		var e = Dt(this);
		return e !== void 0 && (e.i = this.i), this.v;
	},
	set: function(e) {
		if (e !== this.v) {
			if (St > 100) throw Error("Cycle detected");
			(function(e) {
				I !== 0 && St === 0 && e.l !== wt && (e.l = wt, Tt = {
					S: e,
					v: e.v,
					i: e.i,
					o: Tt
				});
			})(this), this.v = e, this.i++, Et++, I++;
			try {
				for (var t = this.t; t !== void 0; t = t.x) t.t.N();
			} finally {
				_t();
			}
		}
	}
});
function R(e, t) {
	return new L(e, t);
}
function Ot(e) {
	for (var t = e.s; t !== void 0; t = t.n) if (t.S.i !== t.i || !t.S.h() || t.S.i !== t.i) return !0;
	return !1;
}
function kt(e) {
	for (var t = e.s; t !== void 0; t = t.n) {
		var n = t.S.n;
		if (n !== void 0 && (t.r = n), t.S.n = t, t.i = -1, t.n === void 0) {
			e.s = t;
			break;
		}
	}
}
function At(e) {
	for (var t = e.s, n = void 0; t !== void 0;) {
		var r = t.p;
		t.i === -1 ? (t.S.U(t), r !== void 0 && (r.n = t.n), t.n !== void 0 && (t.n.p = r)) : n = t, t.S.n = t.r, t.r !== void 0 && (t.r = void 0), t = r;
	}
	e.s = n;
}
function jt(e, t) {
	L.call(this, void 0, t), this.x = e, this.s = void 0, this.g = Et - 1, this.f = 4;
}
jt.prototype = new L(), jt.prototype.h = function() {
	if (this.f &= -3, 1 & this.f) return !1;
	if ((36 & this.f) == 32 || (this.f &= -5, this.g === Et)) return !0;
	if (this.g = Et, this.f |= 1, this.i > 0 && !Ot(this)) return this.f &= -2, !0;
	var e = F;
	try {
		kt(this), F = this;
		var t = this.x();
		(16 & this.f || this.v !== t || this.i === 0) && (this.v = t, this.f &= -17, this.i++);
	} catch (e) {
		this.v = e, this.f |= 16, this.i++;
	}
	return F = e, At(this), this.f &= -2, !0;
}, jt.prototype.S = function(e) {
	if (this.t === void 0) {
		this.f |= 36;
		for (var t = this.s; t !== void 0; t = t.n) t.S.S(t);
	}
	L.prototype.S.call(this, e);
}, jt.prototype.U = function(e) {
	if (this.t !== void 0 && (L.prototype.U.call(this, e), this.t === void 0)) {
		this.f &= -33;
		for (var t = this.s; t !== void 0; t = t.n) t.S.U(t);
	}
}, jt.prototype.N = function() {
	if (!(2 & this.f)) {
		this.f |= 6;
		for (var e = this.t; e !== void 0; e = e.x) e.t.N();
	}
}, Object.defineProperty(jt.prototype, "value", { get: function() {
	if (1 & this.f) throw Error("Cycle detected");
	var e = Dt(this);
	if (this.h(), e !== void 0 && (e.i = this.i), 16 & this.f) throw this.v;
	return this.v;
} });
function z(e, t) {
	return new jt(e, t);
}
function Mt(e) {
	var t = e.j;
	if (e.j = void 0, typeof t == "function") {
		I++;
		var n = F;
		F = void 0;
		try {
			t();
		} catch (t) {
			throw e.f &= -2, e.f |= 8, Nt(e), t;
		} finally {
			F = n, _t();
		}
	}
}
function Nt(e) {
	for (var t = e.s; t !== void 0; t = t.n) t.S.U(t);
	e.x = void 0, e.s = void 0, Mt(e);
}
function Pt(e) {
	if (F !== this) throw Error("Out-of-order effect");
	At(this), F = e, this.f &= -2;
	try {
		8 & this.f && Nt(this);
	} finally {
		_t();
	}
}
function Ft(e, t) {
	this.x = e, this.j = void 0, this.s = void 0, this.u = void 0, this.f = 32, this.name = t?.name, yt && yt.push(this);
}
Ft.prototype.c = function() {
	var e = this.S();
	try {
		if (8 & this.f || this.x === void 0) return;
		var t = this.x();
		typeof t == "function" && (this.j = t);
	} finally {
		e();
	}
}, Ft.prototype.S = function() {
	if (1 & this.f) throw Error("Cycle detected");
	this.f |= 1, this.f &= -9, Mt(this), kt(this), I++;
	var e = F;
	return F = this, Pt.bind(this, e);
}, Ft.prototype.N = function() {
	2 & this.f || (this.f |= 2, this.u = xt, xt = this);
}, Ft.prototype.d = function() {
	this.f |= 8, 1 & this.f || Nt(this);
}, Ft.prototype.dispose = function() {
	this.d();
};
function B(e, t) {
	var n = new Ft(e, t);
	try {
		n.c();
	} catch (e) {
		throw n.d(), e;
	}
	var r = n.d.bind(n);
	return r[Symbol.dispose] = r, r;
}
// node_modules/@preact/signals/dist/signals.module.js
var It, Lt, Rt = typeof window < "u" && !!window.__PREACT_SIGNALS_DEVTOOLS__, zt = [];
B(function() {
	It = this.N;
})();
function Bt(e, t) {
	k[e] = t.bind(null, k[e] || function() {});
}
function Vt(e) {
	if (Lt) {
		var t = Lt;
		Lt = void 0, t();
	}
	Lt = e && e.S();
}
function Ht(e) {
	var t = this, n = e.data, r = V(n);
	r.name = "ReactiveDom", r.value = n;
	var i = st(function() {
		for (var e = t, n = t.__v; n = n.__;) if (n.__c) {
			n.__c.__$f |= 4;
			break;
		}
		var i = z(function() {
			var e = r.value.value;
			return e === 0 ? 0 : !0 === e ? "" : e || "";
		}), a = z(function() {
			return !Array.isArray(i.value) && !oe(i.value);
		}), o = B(function() {
			if (this.N = Kt, a.value) {
				var t = i.value;
				e.__v && e.__v.__e && e.__v.__e.nodeType === 3 && (e.__v.__e.data = t);
			}
		}), s = t.__$u.d;
		return t.__$u.d = function() {
			o(), s.call(this);
		}, [a, i];
	}, []), a = i[0], o = i[1];
	return a.value ? o.peek() : o.value;
}
Ht.displayName = "ReactiveTextNode", Object.defineProperties(L.prototype, {
	constructor: {
		configurable: !0,
		value: Ce(A, null).constructor
	},
	type: {
		configurable: !0,
		value: Ht
	},
	props: {
		configurable: !0,
		get: function() {
			var e = this;
			return { data: { get value() {
				return e.value;
			} } };
		}
	},
	__b: {
		configurable: !0,
		value: 1
	}
}), Bt("__b", function(e, t) {
	if (Vt(), typeof t.type == "string") {
		var n, r = t.props;
		for (var i in r) if (i !== "children") {
			var a = r[i];
			a instanceof L && (n || (t.__np = n = {}), n[i] = a, r[i] = a.peek());
		}
	}
	e(t);
}), Bt("__r", function(e, t) {
	if (e(t), t.type !== A) {
		Vt();
		var n, r = t.__c;
		r && (r.__$f &= -2, (n = r.__$u) === void 0 && (r.__$u = n = function(e, t) {
			var n;
			return B(function() {
				n = this;
			}, { name: t }), n.c = e, n;
		}(function(e) {
			return function() {
				var t;
				Rt && ((t = this.y) == null || t.call(this)), e.__$f |= 1, e.setState({});
			};
		}(r), typeof t.type == "function" ? t.type.displayName || t.type.name : ""))), Vt(n);
	}
}), Bt("__e", function(e, t, n, r) {
	Vt(), e(t, n, r);
}), Bt("diffed", function(e, t) {
	Vt();
	var n;
	if (typeof t.type == "string" && (n = t.__e)) {
		var r = t.__np, i = t.props, a = n.U;
		if (a) for (var o in a) {
			var s = a[o];
			s === void 0 || r && o in r || (s.d(), a[o] = void 0);
		}
		if (r) for (var c in a || (a = {}, n.U = a), r) {
			var l = a[c], u = r[c];
			l === void 0 ? (l = Ut(n, c, u, i), a[c] = l) : l.o(u, i);
		}
	}
	e(t);
});
function Ut(e, t, n, r) {
	var i = t in e && e.ownerSVGElement === void 0, a = R(n);
	return {
		o: function(e, t) {
			a.value = e, r = t;
		},
		d: B(function() {
			this.N = Kt;
			var n = a.value.value;
			r[t] !== n && (r[t] = n, i ? e[t] = n : n != null && (!1 !== n || t[4] === "-") ? e.setAttribute(t, n) : e.removeAttribute(t));
		})
	};
}
Bt("unmount", function(e, t) {
	if (typeof t.type == "string") {
		var n = t.__e;
		if (n) {
			var r = n.U;
			if (r) for (var i in n.U = void 0, r) {
				var a = r[i];
				a && a.d();
			}
		}
		var o = t.__np;
		if (o) {
			var s = t.props;
			for (var c in o) s[c] = o[c];
		}
		t.__np = void 0;
	} else {
		var l = t.__c;
		if (l) {
			l.__$f |= 8;
			var u = l.__$u;
			u && (l.__$u = void 0, u.d());
		}
	}
	e(t);
}), Bt("__h", function(e, t, n, r) {
	r < 3 && (t.__$f |= 2), e(t, n, r);
}), Te.prototype.shouldComponentUpdate = function(e, t) {
	if (this.__R) return !0;
	var n = this.__$u, r = n && n.s !== void 0;
	for (var i in t) return !0;
	if (this.__f || typeof this.u == "boolean" && !0 === this.u) {
		var a = 2 & this.__$f;
		if (!(r || a || 4 & this.__$f) || 1 & this.__$f) return !0;
	} else if (!(r || 4 & this.__$f) || 3 & this.__$f) return !0;
	for (var o in e) if (o !== "__source" && e[o] !== this.props[o]) return !0;
	for (var s in this.props) if (!(s in e)) return !0;
	return !1;
};
function V(e, t) {
	return st(function() {
		return R(e, t);
	}, []);
}
var Wt = function(e) {
	queueMicrotask(function() {
		queueMicrotask(e);
	});
};
function Gt() {
	vt(function() {
		for (var e; e = zt.shift();) It.call(e);
	});
}
function Kt() {
	zt.push(this) === 1 && (k.requestAnimationFrame || Wt)(Gt);
}
// src/state.ts
var qt = [
	"matrix",
	"arcs",
	"products",
	"image"
], Jt = [
	"layer",
	"look",
	"entropy",
	"distance",
	"first",
	"previous"
], Yt = [
	"nothing",
	"special",
	"first"
], Xt = [
	"system",
	"light",
	"dark"
], Zt = {
	heads: [[0, 0]],
	query: null,
	key: null,
	zoom: null,
	view: "matrix",
	text: 0,
	unit: "words",
	log: !1,
	hide: "nothing",
	pool: "mean",
	sort: "look",
	sorted: !0,
	theme: "system"
}, Qt = (e) => {
	let t = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(e), [n, r] = [Number(t?.[1]), Number(t?.[2] ?? t?.[1])];
	if (!(r >= n)) throw RangeError(e);
	return [n, r + 1];
}, $t = (e) => (t) => {
	if (!e.includes(t)) throw RangeError(t);
	return t;
}, en = (e) => e[1] === e[0] + 1 ? `${e[0]}` : `${e[0]}-${e[1] - 1}`, tn = (e) => $t(["0", "1"])(e) === "1", nn = {
	heads: [
		"h",
		(e) => e.split(",").map((e) => {
			let t = /^(\d{1,9})\.(\d{1,9})$/.exec(e);
			if (!t) throw RangeError(e);
			return [Number(t[1]), Number(t[2])];
		}),
		(e) => e.map((e) => e.join(".")).join(",")
	],
	query: [
		"q",
		(e) => e ? Qt(e) : null,
		(e) => e ? en(e) : ""
	],
	key: [
		"k",
		(e) => e ? Qt(e) : null,
		(e) => e ? en(e) : ""
	],
	zoom: [
		"z",
		(e) => {
			let t = /^(\d{1,9}),(\d{1,9}),(\d{1,9})$/.exec(e);
			if (e && !t) throw RangeError(e);
			return t && [
				Number(t[1]),
				Number(t[2]),
				Number(t[3])
			];
		},
		(e) => e?.join(",") ?? ""
	],
	view: [
		"v",
		$t(qt),
		String
	],
	text: [
		"t",
		(e) => Qt(e)[0],
		String
	],
	unit: [
		"u",
		$t(["words", "pieces"]),
		String
	],
	log: [
		"log",
		tn,
		(e) => e ? "1" : "0"
	],
	hide: [
		"hide",
		$t(Yt),
		String
	],
	pool: [
		"pool",
		$t(["mean", "max"]),
		String
	],
	sort: [
		"sort",
		$t(Jt),
		String
	],
	sorted: [
		"sorted",
		tn,
		(e) => e ? "1" : "0"
	],
	theme: [
		"theme",
		$t(Xt),
		String
	]
};
function rn(e, t) {
	let n = [];
	for (let [r, [i, , a]] of Object.entries(nn)) {
		let [o, s] = [e[r], t[r]].map(a);
		o !== s && n.push(`${i}=${o}`);
	}
	return n.join("&");
}
function an(e, t) {
	let n = new URLSearchParams(e.replace(/^#/, "")), r = { ...t };
	for (let [e, [t, i]] of Object.entries(nn)) {
		let a = n.get(t);
		if (a !== null) try {
			r[e] = i(a);
		} catch {}
	}
	return r;
}
var on = 400, sn = class {
	fitted;
	start;
	state;
	hover = R({
		query: null,
		key: null
	});
	lens;
	whole;
	query;
	key;
	zoom;
	isAddress = R(!1);
	constructor(e, t) {
		this.fitted = t, this.start = t(e), this.state = R(this.start);
		let n = (e) => {
			let t = nn[e][2], n = this.start[e];
			return z(() => {
				let r = this.state.value[e];
				return t(r) !== t(n) && (n = r), n;
			});
		}, [r, i, a, o] = [
			n("heads"),
			n("unit"),
			n("hide"),
			n("text")
		];
		this.lens = z(() => ({
			heads: r.value,
			unit: i.value,
			hide: a.value,
			text: o.value
		})), this.whole = z(() => ({
			heads: [],
			unit: i.value,
			hide: a.value,
			text: o.value
		})), this.query = n("query"), this.key = n("key"), this.zoom = n("zoom");
	}
	get now() {
		return this.state.value;
	}
	set(e) {
		this.state.value = this.fitted({
			...this.state.peek(),
			...e
		});
	}
	get hash() {
		return rn(this.state.value, this.start);
	}
	set hash(e) {
		this.state.value = this.fitted(an(e, this.start));
	}
	follow(e) {
		let t = () => {
			this.hash = e.location.hash;
		};
		t(), this.isAddress.value = !0;
		let [n, r] = [!0, -Infinity], i = B(() => {
			let { hash: t } = this, i = e.location.hash.replace(/^#/, ""), a = !n && rn(this.fitted(an(i, this.start)), this.start) !== t, o = t ? `#${t}` : e.location.pathname + e.location.search, s = performance.now();
			t !== i && e.history[a && s - r > on ? "pushState" : "replaceState"](null, "", o), a && (r = s), n = !1;
		});
		return e.addEventListener("popstate", t), () => {
			i(), e.removeEventListener("popstate", t);
		};
	}
};
// src/data/block.ts
async function cn(e, t, n, r, i, a, o) {
	let s = new Float32Array(r * a), c = (e, t) => {
		let n = Math.floor(e / 256);
		return Array.from({ length: Math.floor((e + t - 1) / 256) - n + 1 }, (e, t) => n + t);
	}, l = c(n, r).flatMap((e) => c(i, a).map((t) => [e, t]));
	return await Promise.all(l.map(async ([c, l]) => {
		let u = await e.tile(t, 0, c, l, o);
		for (let e = 0; e < u.rows; e++) {
			let t = c * 256 + e - n;
			if (!(t < 0 || t >= r)) for (let n = 0; n < u.columns; n++) {
				let r = l * 256 + n - i;
				r >= 0 && r < a && (s[t * a + r] = u.mean[e * u.columns + n]);
			}
		}
	})), s;
}
// src/marks/picture.ts
var ln = "http://www.w3.org/2000/svg", un = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, dn = [
	"fill",
	"stroke",
	"stroke-width",
	"stroke-opacity",
	"font-family",
	"font-size",
	"font-weight",
	"text-anchor"
];
function fn(e, t, n) {
	let r = e.cloneNode(!0), [i, a] = [e, r].map((e) => [...e.querySelectorAll("*")]);
	i.forEach((e, t) => {
		let n = getComputedStyle(e);
		for (let e of dn) a[t].setAttribute(e, n.getPropertyValue(e));
		for (let e of [
			"class",
			"tabindex",
			"role"
		]) a[t].removeAttribute(e);
	});
	let [o, s, c, l] = e.viewBox.baseVal ? [
		e.viewBox.baseVal.x,
		e.viewBox.baseVal.y,
		e.viewBox.baseVal.width,
		e.viewBox.baseVal.height
	] : [
		0,
		0,
		640,
		480
	], u = document.createElementNS(ln, "text");
	for (let [e, t] of Object.entries({
		x: o + 8,
		y: s - 10,
		"font-size": 13,
		"font-family": "sans-serif"
	})) u.setAttribute(e, String(t));
	for (let [e, t] of n) {
		let n = document.createElementNS(ln, "tspan");
		n.setAttribute("fill", t), n.textContent = `${e}  `, u.append(n);
	}
	r.prepend(u);
	let d = document.createElementNS(ln, "rect");
	for (let [e, n] of Object.entries({
		x: o,
		y: s - 28,
		width: c,
		height: l + 28,
		fill: t
	})) d.setAttribute(e, String(n));
	return r.prepend(d), r.removeAttribute("style"), r.setAttribute("width", String(c)), r.setAttribute("height", String(l + 28)), r.setAttribute("viewBox", `${o} ${s - 28} ${c} ${l + 28}`), r.setAttribute("xmlns", ln), new XMLSerializer().serializeToString(r).replace(un, "�");
}
function pn(e) {
	return getComputedStyle(e).getPropertyValue("--paper");
}
function mn(e) {
	return getComputedStyle(e).getPropertyValue("--ink");
}
async function hn(e) {
	let t = new Image();
	t.src = URL.createObjectURL(new Blob([e], { type: "image/svg+xml" }));
	try {
		await t.decode();
		let e = document.createElement("canvas");
		return e.width = t.naturalWidth * 2, e.height = t.naturalHeight * 2, e.getContext("2d").drawImage(t, 0, 0, e.width, e.height), await new Promise((t, n) => e.toBlob((e) => e ? t(e) : n(/* @__PURE__ */ Error("the picture is too large to be drawn")), "image/png"));
	} finally {
		URL.revokeObjectURL(t.src);
	}
}
function gn(e) {
	let t = (e) => {
		if (typeof e == "number") return String(e);
		let t = /^[=+\-@\t\r]/.test(e) ? `'${e}` : e;
		return /[",\r\n]/.test(t) ? `"${t.replaceAll("\"", "\"\"")}"` : t;
	};
	return `${e.map((e) => e.map(t).join(",")).join("\r\n")}\r\n`;
}
function _n(e) {
	return e.replace(/[&<>"']/g, (e) => `&#${e.charCodeAt(0)};`).replace(un, "�");
}
function vn(e, t) {
	let n = document.createElement("a");
	n.href = URL.createObjectURL(e), n.download = t, n.click(), setTimeout(() => URL.revokeObjectURL(n.href), 1e4);
}
// node_modules/d3-format/dist/d3-format.mjs
function yn(e) {
	return Math.abs(e = Math.round(e)) >= 1e21 ? e.toLocaleString("en").replace(/,/g, "") : e.toString(10);
}
function bn(e, t) {
	if (!isFinite(e) || e === 0) return null;
	var n = (e = t ? e.toExponential(t - 1) : e.toExponential()).indexOf("e"), r = e.slice(0, n);
	return [r.length > 1 ? r[0] + r.slice(2) : r, +e.slice(n + 1)];
}
function xn(e) {
	return e = bn(Math.abs(e)), e ? e[1] : NaN;
}
function Sn(e, t) {
	return function(n, r) {
		for (var i = n.length, a = [], o = 0, s = e[0], c = 0; i > 0 && s > 0 && (c + s + 1 > r && (s = Math.max(1, r - c)), a.push(n.substring(i -= s, i + s)), !((c += s + 1) > r));) s = e[o = (o + 1) % e.length];
		return a.reverse().join(t);
	};
}
function Cn(e) {
	return function(t) {
		return t.replace(/[0-9]/g, function(t) {
			return e[+t];
		});
	};
}
var wn = /^(?:(.)?([<>=^]))?([+\-( ])?([$#])?(0)?(\d+)?(,)?(\.\d+)?(~)?([a-z%])?$/i;
function Tn(e) {
	if (!(t = wn.exec(e))) throw Error("invalid format: " + e);
	var t;
	return new En({
		fill: t[1],
		align: t[2],
		sign: t[3],
		symbol: t[4],
		zero: t[5],
		width: t[6],
		comma: t[7],
		precision: t[8] && t[8].slice(1),
		trim: t[9],
		type: t[10]
	});
}
Tn.prototype = En.prototype;
function En(e) {
	this.fill = e.fill === void 0 ? " " : e.fill + "", this.align = e.align === void 0 ? ">" : e.align + "", this.sign = e.sign === void 0 ? "-" : e.sign + "", this.symbol = e.symbol === void 0 ? "" : e.symbol + "", this.zero = !!e.zero, this.width = e.width === void 0 ? void 0 : +e.width, this.comma = !!e.comma, this.precision = e.precision === void 0 ? void 0 : +e.precision, this.trim = !!e.trim, this.type = e.type === void 0 ? "" : e.type + "";
}
En.prototype.toString = function() {
	return this.fill + this.align + this.sign + this.symbol + (this.zero ? "0" : "") + (this.width === void 0 ? "" : Math.max(1, this.width | 0)) + (this.comma ? "," : "") + (this.precision === void 0 ? "" : "." + Math.max(0, this.precision | 0)) + (this.trim ? "~" : "") + this.type;
};
function Dn(e) {
	out: for (var t = e.length, n = 1, r = -1, i; n < t; ++n) switch (e[n]) {
		case ".":
			r = i = n;
			break;
		case "0":
			r === 0 && (r = n), i = n;
			break;
		default:
			if (!+e[n]) break out;
			r > 0 && (r = 0);
	}
	return r > 0 ? e.slice(0, r) + e.slice(i + 1) : e;
}
var On;
function kn(e, t) {
	var n = bn(e, t);
	if (!n) return On = void 0, e.toPrecision(t);
	var r = n[0], i = n[1], a = i - (On = Math.max(-8, Math.min(8, Math.floor(i / 3))) * 3) + 1, o = r.length;
	return a === o ? r : a > o ? r + Array(a - o + 1).join("0") : a > 0 ? r.slice(0, a) + "." + r.slice(a) : "0." + Array(1 - a).join("0") + bn(e, Math.max(0, t + a - 1))[0];
}
function An(e, t) {
	var n = bn(e, t);
	if (!n) return e + "";
	var r = n[0], i = n[1];
	return i < 0 ? "0." + Array(-i).join("0") + r : r.length > i + 1 ? r.slice(0, i + 1) + "." + r.slice(i + 1) : r + Array(i - r.length + 2).join("0");
}
var jn = {
	"%": (e, t) => (e * 100).toFixed(t),
	b: (e) => Math.round(e).toString(2),
	c: (e) => e + "",
	d: yn,
	e: (e, t) => e.toExponential(t),
	f: (e, t) => e.toFixed(t),
	g: (e, t) => e.toPrecision(t),
	o: (e) => Math.round(e).toString(8),
	p: (e, t) => An(e * 100, t),
	r: An,
	s: kn,
	X: (e) => Math.round(e).toString(16).toUpperCase(),
	x: (e) => Math.round(e).toString(16)
};
function Mn(e) {
	return e;
}
var Nn = Array.prototype.map, Pn = [
	"y",
	"z",
	"a",
	"f",
	"p",
	"n",
	"µ",
	"m",
	"",
	"k",
	"M",
	"G",
	"T",
	"P",
	"E",
	"Z",
	"Y"
];
function Fn(e) {
	var t = e.grouping === void 0 || e.thousands === void 0 ? Mn : Sn(Nn.call(e.grouping, Number), e.thousands + ""), n = e.currency === void 0 ? "" : e.currency[0] + "", r = e.currency === void 0 ? "" : e.currency[1] + "", i = e.decimal === void 0 ? "." : e.decimal + "", a = e.numerals === void 0 ? Mn : Cn(Nn.call(e.numerals, String)), o = e.percent === void 0 ? "%" : e.percent + "", s = e.minus === void 0 ? "−" : e.minus + "", c = e.nan === void 0 ? "NaN" : e.nan + "";
	function l(e, l) {
		e = Tn(e);
		var u = e.fill, d = e.align, f = e.sign, p = e.symbol, m = e.zero, h = e.width, g = e.comma, _ = e.precision, v = e.trim, y = e.type;
		y === "n" ? (g = !0, y = "g") : jn[y] || (_ === void 0 && (_ = 12), v = !0, y = "g"), (m || u === "0" && d === "=") && (m = !0, u = "0", d = "=");
		var b = (l && l.prefix !== void 0 ? l.prefix : "") + (p === "$" ? n : p === "#" && /[boxX]/.test(y) ? "0" + y.toLowerCase() : ""), x = (p === "$" ? r : /[%p]/.test(y) ? o : "") + (l && l.suffix !== void 0 ? l.suffix : ""), S = jn[y], C = /[defgprs%]/.test(y);
		_ = _ === void 0 ? 6 : /[gprs]/.test(y) ? Math.max(1, Math.min(21, _)) : Math.max(0, Math.min(20, _));
		function w(e) {
			var n = b, r = x, o, l, p;
			if (y === "c") r = S(e) + r, e = "";
			else {
				e = +e;
				var w = e < 0 || 1 / e < 0;
				if (e = isNaN(e) ? c : S(Math.abs(e), _), v && (e = Dn(e)), w && +e == 0 && f !== "+" && (w = !1), n = (w ? f === "(" ? f : s : f === "-" || f === "(" ? "" : f) + n, r = (y === "s" && !isNaN(e) && On !== void 0 ? Pn[8 + On / 3] : "") + r + (w && f === "(" ? ")" : ""), C) {
					for (o = -1, l = e.length; ++o < l;) if (p = e.charCodeAt(o), 48 > p || p > 57) {
						r = (p === 46 ? i + e.slice(o + 1) : e.slice(o)) + r, e = e.slice(0, o);
						break;
					}
				}
			}
			g && !m && (e = t(e, Infinity));
			var T = n.length + e.length + r.length, E = T < h ? Array(h - T + 1).join(u) : "";
			switch (g && m && (e = t(E + e, E.length ? h - r.length : Infinity), E = ""), d) {
				case "<":
					e = n + e + r + E;
					break;
				case "=":
					e = n + E + e + r;
					break;
				case "^":
					e = E.slice(0, T = E.length >> 1) + n + e + r + E.slice(T);
					break;
				default: e = E + n + e + r;
			}
			return a(e);
		}
		return w.toString = function() {
			return e + "";
		}, w;
	}
	function u(e, t) {
		var n = Math.max(-8, Math.min(8, Math.floor(xn(t) / 3))) * 3, r = 10 ** -n, i = l((e = Tn(e), e.type = "f", e), { suffix: Pn[8 + n / 3] });
		return function(e) {
			return i(r * e);
		};
	}
	return {
		format: l,
		formatPrefix: u
	};
}
var In, Ln;
Rn({
	thousands: ",",
	grouping: [3],
	currency: ["$", ""]
});
function Rn(e) {
	return In = Fn(e), Ln = In.format, In.formatPrefix, In;
}
// src/views/format.ts
var zn = Ln(".3f"), Bn = Ln(".1e");
function H(e) {
	return e === 0 || e >= 5e-4 || Number.isNaN(e) ? zn(e) : Bn(e);
}
function U(e, [t, n]) {
	let { label: r, number: i, heads: a } = e.layers[t];
	return `L${i}H${a[n]}${r.slice(`L${i}`.length)}`;
}
function Vn(e) {
	return e.replace(/\n/g, "⏎").replace(/\t/g, "⇥").replace(/^ +| +$/g, (e) => "␣".repeat(e.length)) || "∅";
}
function Hn(e, [t, n]) {
	return n - t === 1 ? e[t] : `${e[t]} … ${e[n - 1]}`;
}
// node_modules/preact/jsx-runtime/dist/jsxRuntime.mjs
var Un = Symbol.for("pv"), Wn = 0;
Array.isArray;
function W(e, t, n, r, i, a) {
	t ||= {};
	var o, s, c = t;
	if ("ref" in c && typeof e != "function") for (s in c = {}, t) s == "ref" ? o = t[s] : c[s] = t[s];
	var l = {
		type: e,
		props: c,
		key: n,
		ref: o,
		__k: null,
		__: null,
		__b: 0,
		__e: null,
		__c: null,
		constructor: Un,
		__v: --Wn,
		__i: -1,
		__u: 0
	};
	return (i || a) && (l.__source = i, l.__self = a), k.vnode && k.vnode(l), l;
}
// src/views/arcs.tsx
var Gn = 22, Kn = 400, qn = 240, Jn = [
	"#0072b2",
	"#d55e00",
	"#009e73",
	"#cc79a7",
	"#e69f00",
	"#56b4e9"
], Yn = (e, t) => !t || e >= t[0] && e < t[1];
function Xn({ model: e }) {
	let { store: t, source: n } = e, { heads: r, query: i, key: a } = t.state.value, [o, s] = [e.queryWords.value, e.keyWords.value], c = V(0), l = V({
		arcs: [],
		of: 0
	}), u = P(null), d = t.lens.value, f = Math.min(o.length, qn), p = Math.min(s.length, qn), m = Math.min(c.value, Math.max(0, o.length - f)), h = Math.min(c.value, Math.max(0, s.length - p));
	N(() => {
		let e = (i ?? a)?.[0];
		e !== void 0 && (e < c.peek() || e >= c.peek() + qn) && (c.value = Math.max(0, e - 8));
	}, [i, a]), N(() => {
		let t = new AbortController();
		return Promise.all(r.map((e) => cn(n, {
			...d,
			heads: [e]
		}, m, f, h, p, t.signal))).then((e) => {
			let t = [];
			e.forEach((e, n) => e.forEach((e, r) => e > .001 && t.push({
				query: m + Math.floor(r / p),
				key: h + r % p,
				weight: e,
				head: n
			})));
			let n = (e) => Yn(e.query, i) && Yn(e.key, a) ? 0 : 1;
			t.sort((e, t) => n(e) - n(t) || t.weight - e.weight), l.value = {
				arcs: t.slice(0, Kn),
				of: t.length
			};
		}, (t) => t.name !== "AbortError" && (e.error.value = t.message)), () => t.abort();
	}, [
		d,
		m,
		h,
		f,
		p,
		i,
		a
	]), N(() => {
		let t = l.value.arcs;
		return e.kept.value = {
			svg: () => fn(u.current, pn(u.current), [...r.map((e, t) => [U(n.info, e), Jn[t % Jn.length]]), [e.caption.value.split(" · ").slice(1).join(" · "), mn(u.current)]]),
			table: async () => [[
				"head",
				"query",
				"key",
				"from",
				"to",
				"weight"
			], ...t.map((e) => [
				U(n.info, r[e.head]),
				e.query,
				e.key,
				o[e.query],
				s[e.key],
				e.weight
			])]
		}, () => {
			e.kept.value = null;
		};
	}, [l.value]);
	let g = t.hover.value, _ = (e) => g.query !== null || g.key !== null ? e.query === g.query || e.key === g.key : Yn(e.query, i) && Yn(e.key, a), v = g.query !== null || g.key !== null || i || a, y = Math.max(f, p) * Gn + 12, b = (e, t) => (e - t + .5) * Gn + 6, x = l.value.arcs;
	return /* @__PURE__ */ W("figure", {
		class: "arcs",
		children: [/* @__PURE__ */ W("svg", {
			ref: u,
			viewBox: `0 0 640 ${y}`,
			style: { height: `${y}px` },
			role: "group",
			"aria-label": "Lines from queries, left, to the keys that they look at, right",
			children: [
				/* @__PURE__ */ W("g", {
					fill: "none",
					children: x.map((e) => {
						let t = Math.max(-7, Math.min(7, 4 * (e.head - (r.length - 1) / 2))), [n, i] = [b(e.query, m) + t, b(e.key, h) + t], a = _(e);
						return /* @__PURE__ */ W("path", {
							d: `M200 ${n}C320 ${n} 320 ${i} 440 ${i}`,
							stroke: Jn[e.head % Jn.length],
							"stroke-width": Math.max(.5, 6 * e.weight),
							"stroke-opacity": v ? a ? Math.min(1, .25 + e.weight) : .04 : Math.min(1, .1 + e.weight)
						});
					})
				}),
				/* @__PURE__ */ W(Zn, {
					model: e,
					words: o,
					from: m,
					count: f,
					side: "query",
					y: (e) => b(e, m)
				}),
				/* @__PURE__ */ W(Zn, {
					model: e,
					words: s,
					from: h,
					count: p,
					side: "key",
					y: (e) => b(e, h)
				})
			]
		}), /* @__PURE__ */ W("figcaption", { children: [
			r.map((e, t) => /* @__PURE__ */ W("span", {
				class: "key",
				children: [
					/* @__PURE__ */ W("i", { style: { background: Jn[t % Jn.length] } }),
					" ",
					U(n.info, e)
				]
			})),
			/* @__PURE__ */ W("span", { children: [
				l.value.of > x.length ? `the strongest ${x.length} of ${l.value.of} lines above 0.001` : `${x.length} lines above 0.001`,
				l.value.of > x.length && `, down to ${H(Math.min(...x.map((e) => e.weight)))}`,
				Math.max(o.length, s.length) > qn && ` from queries ${m}–${m + f - 1} to keys ${h}–${h + p - 1}`
			] }),
			Math.max(o.length, s.length) > qn && /* @__PURE__ */ W("label", {
				class: "field",
				children: ["from", /* @__PURE__ */ W("input", {
					type: "range",
					min: 0,
					max: Math.max(o.length, s.length) - qn,
					value: c.value,
					onInput: (e) => c.value = Number(e.currentTarget.value)
				})]
			})
		] })]
	});
}
function Zn({ model: e, words: t, from: n, count: r, side: i, y: a }) {
	let { store: o } = e, s = o.state.value[i], c = i === "query", l = c ? e.column.value : e.row.value;
	return /* @__PURE__ */ W("g", {
		class: "column",
		"text-anchor": c ? "end" : "start",
		children: t.slice(n, n + r).map((e, r) => {
			let u = n + r, d = s !== null && u >= s[0] && u < s[1], f = l && l.length === t.length ? l[u] : null;
			return /* @__PURE__ */ W("text", {
				x: c ? 192 : 448,
				y: a(u),
				dy: "0.35em",
				tabIndex: -1,
				class: d ? `is-${i}` : "",
				onPointerEnter: () => o.hover.value = c ? {
					query: u,
					key: null
				} : {
					query: null,
					key: u
				},
				onPointerLeave: () => o.hover.value = {
					query: null,
					key: null
				},
				onClick: () => o.set({ [i]: d ? null : [u, u + 1] }),
				children: [[...e].length > 24 ? `${[...e].slice(0, 23).join("")}…` : e, f !== null && f >= .005 && /* @__PURE__ */ W("tspan", {
					class: "quiet",
					children: [" ", f.toFixed(2)]
				})]
			});
		})
	});
}
// src/views/export.tsx
function Qn({ model: e }) {
	let t = V(""), { heads: n, view: r } = e.store.state.value, i = `${n.map((t) => U(e.source.info, t).replace("@", "-")).join("+")}-${r}`, a = e.kept.value;
	async function o(e) {
		try {
			if (e === "link") {
				await navigator.clipboard.writeText(window.location.href), t.value = "The link is on the clipboard.";
				return;
			}
			if (!a) return;
			e === "csv" ? vn(new Blob([gn(await a.table())], { type: "text/csv" }), `${i}.csv`) : e === "svg" ? vn(new Blob([a.svg()], { type: "image/svg+xml" }), `${i}.svg`) : vn(await hn(a.svg()), `${i}.png`), t.value = `${i}.${e} was written.`;
		} catch (n) {
			t.value = e === "link" ? `Copy it from the address bar: ${window.location.href}` : String(n.message);
		}
	}
	return /* @__PURE__ */ W("div", {
		class: "export",
		role: "group",
		"aria-label": "Keep what is seen",
		children: [
			[
				"png",
				"svg",
				"csv"
			].map((e) => /* @__PURE__ */ W("button", {
				type: "button",
				disabled: !a,
				onClick: () => void o(e),
				children: e.toUpperCase()
			})),
			e.store.isAddress.value && /* @__PURE__ */ W("button", {
				type: "button",
				onClick: () => void o("link"),
				children: "Link"
			}),
			/* @__PURE__ */ W("span", {
				role: "status",
				class: "quiet",
				children: t.value
			})
		]
	});
}
// src/views/keys.ts
var $n = [
	["← →", "select the query before or after"],
	["↑ ↓", "select the key before or after"],
	["arrows in the map", "select the cell beside; in the heads and tabs, the one beside"],
	["Alt and click", "select a word as the key"],
	["[ ]", "the head before or after"],
	["{ }", "the layer before or after"],
	["1 – 4", "matrix, arcs, q·k, image"],
	["w", "words or pieces"],
	["l", "linear or log"],
	["s", "hide nothing, special tokens, the first token"],
	["m", "mean or maximum where zoomed out"],
	["+ − 0", "zoom in, out, all"],
	["/", "find a word"],
	["e", "keep what is seen: picture, numbers, link"],
	["Esc", "let go of the selection"],
	["?", "this list"]
];
function er(e, t, n) {
	let r = e ? Math.min(n - 1, Math.max(0, e[0] + t)) : t > 0 ? 0 : n - 1;
	return [r, r + 1];
}
function tr(e, t, n, r) {
	let i = e.target;
	if (e.ctrlKey && !e.getModifierState("AltGraph") || e.metaKey || e.altKey && !/^[\[\]{}]$/.test(e.key) || i.closest("input, select, textarea, dialog")) return;
	let { store: a, source: o } = t, s = a.now, { layers: c } = o.info, [l, u] = s.heads[0], d = (e) => a.set(e), f = t.heads, p = f.findIndex((e) => e[0] === l && e[1] === u), m = (e) => f[(e + f.length) % f.length], h = (e) => {
		let t = [...new Set(f.map(([e]) => e))], n = t[(t.indexOf(l) + e + t.length) % t.length];
		return [n, Math.min(u, c[n].heads.length - 1)];
	}, g = (e) => n.querySelector(".matrix canvas")?.dispatchEvent(new CustomEvent("zoom-by", { detail: e })), _ = (e) => d({ query: er(s.query, e, t.queryWords.value.length) }), v = (e) => d({ key: er(s.key, e, t.keyWords.value.length) }), [y, b] = i.closest("canvas[role=grid]") ? [v, _] : [_, v], x = {
		ArrowRight: () => y(1),
		ArrowLeft: () => y(-1),
		ArrowDown: () => b(1),
		ArrowUp: () => b(-1),
		"]": () => d({ heads: [m(p + 1)] }),
		"[": () => d({ heads: [m(p - 1)] }),
		"}": () => d({ heads: [h(1)] }),
		"{": () => d({ heads: [h(-1)] }),
		w: () => t.change(s.unit === "words" ? "pieces" : "words"),
		l: () => d({ log: !s.log }),
		s: () => d({ hide: Yt[(Yt.indexOf(s.hide) + 1) % Yt.length] }),
		m: () => d({ pool: s.pool === "mean" ? "max" : "mean" }),
		"+": () => g("+"),
		"=": () => g("+"),
		"-": () => g("-"),
		0: () => g("0"),
		Escape: () => d({
			query: null,
			key: null
		}),
		"/": () => n.querySelector("input[type=search]")?.focus(),
		e: () => n.querySelector(".export button")?.focus(),
		"?": r
	};
	qt.forEach((e, n) => {
		t.views.value.includes(e) && (x[`${n + 1}`] = () => d({ view: e }));
	});
	let S = x[e.key];
	S && (e.preventDefault(), S());
}
// src/views/help.tsx
function nr({ onClose: e }) {
	let t = P(null);
	return N(() => t.current.showModal(), []), /* @__PURE__ */ W("dialog", {
		ref: t,
		"aria-label": "Keys, and what weights do not show",
		onClose: e,
		children: [
			/* @__PURE__ */ W("h2", { children: "Keys" }),
			/* @__PURE__ */ W("dl", { children: $n.map(([e, t]) => /* @__PURE__ */ W("div", { children: [/* @__PURE__ */ W("dt", { children: /* @__PURE__ */ W("kbd", { children: e }) }), /* @__PURE__ */ W("dd", { children: t })] })) }),
			/* @__PURE__ */ W("h2", { children: "What weights do not show" }),
			/* @__PURE__ */ W("p", { children: "A weight says how much of a token's value a head mixes in, not what the value does afterwards: the same output can come out of other weights (Jain & Wallace 2019, arXiv:1902.10186), which are still a useful trace where they are tested against alternatives (Wiegreffe & Pinter 2019, arXiv:1908.04626). A token that gets much weight may be a resting place with a value of almost no length (Clark et al. 2019, arXiv:1906.04341; Kobayashi et al. 2020, arXiv:2004.10102)." }),
			/* @__PURE__ */ W("form", {
				method: "dialog",
				children: /* @__PURE__ */ W("button", {
					type: "submit",
					children: "Close"
				})
			})
		]
	});
}
// src/views/image.tsx
var rr = 300;
function ir({ model: e }) {
	let { store: t } = e, { query: n } = t.state.value, r = P(null), i = e.picture.value, [a, o] = e.hasPatches.value, s = e.row.value, c = s && s.length === e.keyWords.value.length ? s : null, l = a && e.isSelf.value;
	N(() => (e.kept.value = {
		svg: () => fn(r.current, pn(r.current), [[e.caption.value, mn(r.current)]]),
		table: async () => [["to", "weight"], ...c ? Array.from(c, (t, n) => [e.keyWords.value[n], t]) : []]
	}, () => {
		e.kept.value = null;
	}), [c]);
	let [u, d] = i.grid, f = rr * u / d, p = c ? c.subarray(0, i.first).reduce((e, t) => e + t, 0) : 0, m = 0;
	return c?.subarray(i.first).forEach((e) => m = Math.max(m, e)), /* @__PURE__ */ W("figure", {
		class: "image",
		children: [/* @__PURE__ */ W("svg", {
			ref: r,
			viewBox: `0 0 ${l ? 620 : rr} ${f + 24}`,
			role: "group",
			"aria-label": "Patches that look, left, and how hard they look at each patch, right",
			children: [l && /* @__PURE__ */ W(ar, {
				model: e,
				picture: i,
				side: "query",
				left: 0,
				height: f,
				weights: null,
				most: 1
			}), o && /* @__PURE__ */ W(ar, {
				model: e,
				picture: i,
				side: "key",
				left: l ? 320 : 0,
				height: f,
				weights: n ? c : null,
				most: m
			})]
		}), /* @__PURE__ */ W("figcaption", { children: c && n ? /* @__PURE__ */ W("span", { children: [
			"The clearest patch has ",
			H(m),
			"; what is faded out has 0. ",
			H(p),
			" falls on no patch."
		] }) : /* @__PURE__ */ W("span", { children: "Choose a patch on the left, or [CLS] above." }) })]
	});
}
function ar({ model: e, picture: t, side: n, left: r, height: i, weights: a, most: o }) {
	let { store: s } = e, c = s.state.value[n], [l, u] = t.grid, [d, f] = [rr / u, i / l], p = e.scale(o), m = Array.from({ length: l * u }, (e, t) => t);
	return /* @__PURE__ */ W("g", { children: [
		/* @__PURE__ */ W("text", {
			x: r,
			y: 14,
			class: "quiet",
			children: n === "query" ? "from" : "to"
		}),
		/* @__PURE__ */ W("image", {
			href: `data:image/png;base64,${t.png}`,
			x: r,
			y: 24,
			width: rr,
			height: i,
			preserveAspectRatio: "none"
		}),
		m.map((e) => {
			let i = t.first + e, o = a?.[i] ?? 0, l = c !== null && i >= c[0] && i < c[1];
			return /* @__PURE__ */ W("rect", {
				class: `patch${l ? ` is-${n}` : ""}`,
				x: r + e % u * d,
				y: 24 + Math.floor(e / u) * f,
				width: d,
				height: f,
				"fill-opacity": a ? .95 * (1 - p.place(o)) : 0,
				onClick: () => s.set({ [n]: l ? null : [i, i + 1] }),
				onPointerEnter: () => s.hover.value = n === "query" ? {
					query: i,
					key: null
				} : {
					query: null,
					key: i
				},
				onPointerLeave: () => s.hover.value = {
					query: null,
					key: null
				},
				children: /* @__PURE__ */ W("title", { children: `${Math.floor(e / u)},${e % u}${a ? `: ${H(o)}` : ""}` })
			});
		})
	] });
}
// src/views/inspector.tsx
var or = 12;
function sr({ model: e }) {
	let { store: t, source: n } = e, { key: r, heads: i } = t.state.value, a = e.queried.value, [o, s] = [e.row.value, e.column.value], [c, l] = [e.queryWords.value, e.keyWords.value], u = a && o && o.length === l.length ? o : null, d = !a && r && s && s.length === c.length ? s : null, [f, p] = [a && Hn(c, a), r && Hn(l, r)], m = r !== null && e.isHidden(r), h = i.map((e) => U(n.info, e)).join(" + "), g = (e.looks.value ?? []).filter(({ head: [t] }) => n.info.layers[t].call === e.step.value).sort((e, t) => t.weight - e.weight), _ = (e, t) => e && e[1] - e[0] > 1 ? `, ${t} of ${e[1] - e[0]} words` : "", v = i.length > 1 ? `, mean of ${i.length} heads` : "", y = (e) => e > or ? ` (${or} of ${e})` : "", b = 0;
	if (u && r) for (let e = r[0]; e < r[1]; e++) b += u[e];
	d && (b = d.reduce((e, t) => e + t, 0) / d.length);
	let x = u && r && r[1] === r[0] + 1 ? 1 + u.reduce((e, t) => e + Number(t > u[r[0]]), 0) : null, S = u ?? d, C = S ? cr(S) : [];
	return /* @__PURE__ */ W("aside", {
		class: "inspector",
		"aria-label": "The selection",
		children: [
			/* @__PURE__ */ W("h2", { children: f || p ? /* @__PURE__ */ W(A, { children: [
				/* @__PURE__ */ W("bdi", { children: f ?? "all" }),
				" → ",
				/* @__PURE__ */ W("bdi", { children: p ?? "…" })
			] }) : "Nothing is selected" }),
			/* @__PURE__ */ W("p", {
				"aria-live": "polite",
				children: m ? "This key is hidden: its weight is taken out." : S && r ? /* @__PURE__ */ W(A, { children: [
					/* @__PURE__ */ W("strong", { children: H(b) }),
					" in ",
					h,
					v,
					d ? ", mean of all queries" : _(a, "mean"),
					_(r, "sum"),
					x && `, rank ${x} of ${l.length}`
				] }) : null
			}),
			S && /* @__PURE__ */ W(A, { children: [/* @__PURE__ */ W("h3", { children: [
				h,
				": ",
				u ? `what it looks at${_(a, "mean")}` : `what looks at it${_(r, "sum")}`,
				v,
				y(S.length)
			] }), /* @__PURE__ */ W(lr, {
				rows: C.map(([e, t]) => ({
					label: (u ? l : c)[t],
					weight: e,
					isMarked: !!u && !!r && t >= r[0] && t < r[1]
				})),
				onChoose: (e) => t.set(u ? { key: [C[e][1], C[e][1] + 1] } : { query: [C[e][1], C[e][1] + 1] })
			})] }),
			g.length > 0 && !m && /* @__PURE__ */ W(A, { children: [/* @__PURE__ */ W("h3", { children: [r ? a ? "Heads, for this pair" : "Heads, mean of all queries" : "Heads that look hardest at another word, special ones apart", y(g.length)] }), /* @__PURE__ */ W(lr, {
				rows: g.slice(0, or).map((e) => ({
					label: U(n.info, e.head) + (r ? "" : ` → ${l[e.key]}`),
					weight: e.weight,
					isMarked: i.some((t) => t.join(".") === e.head.join("."))
				})),
				onChoose: (e) => t.set({ heads: [g[e].head] })
			})] }),
			!a && !r && /* @__PURE__ */ W("p", {
				class: "hint",
				children: [
					"Choose a ",
					e.hasPatches.value[0] ? "patch" : "word",
					"."
				]
			})
		]
	});
}
function cr(e) {
	let t = e.length > or ? e.toSorted()[e.length - or] : -Infinity, n = [];
	return e.forEach((e, r) => e >= t && n.push([e, r])), n.sort((e, t) => t[0] - e[0]).slice(0, or);
}
function lr({ rows: e, onChoose: t }) {
	let n = Math.max(1e-9, ...e.map((e) => e.weight));
	return /* @__PURE__ */ W("ol", {
		class: "bars",
		children: e.map((e, r) => /* @__PURE__ */ W("li", { children: /* @__PURE__ */ W("button", {
			type: "button",
			class: e.isMarked ? "is-marked" : "",
			onClick: () => t(r),
			children: [
				/* @__PURE__ */ W("span", {
					class: "label",
					children: /* @__PURE__ */ W("bdi", { children: e.label })
				}),
				/* @__PURE__ */ W("span", {
					class: "bar",
					"aria-hidden": "true",
					children: /* @__PURE__ */ W("span", { style: { width: `${100 * e.weight / n}%` } })
				}),
				/* @__PURE__ */ W("span", {
					class: "number",
					children: H(e.weight)
				})
			]
		}) }))
	});
}
// node_modules/d3-selection/dist/d3-selection.mjs
var ur = "http://www.w3.org/1999/xhtml", dr = {
	svg: "http://www.w3.org/2000/svg",
	xhtml: ur,
	xlink: "http://www.w3.org/1999/xlink",
	xml: "http://www.w3.org/XML/1998/namespace",
	xmlns: "http://www.w3.org/2000/xmlns/"
};
function fr(e) {
	var t = e += "", n = t.indexOf(":");
	return n >= 0 && (t = e.slice(0, n)) !== "xmlns" && (e = e.slice(n + 1)), dr.hasOwnProperty(t) ? {
		space: dr[t],
		local: e
	} : e;
}
function pr(e) {
	return function() {
		var t = this.ownerDocument, n = this.namespaceURI;
		return n === ur && t.documentElement.namespaceURI === ur ? t.createElement(e) : t.createElementNS(n, e);
	};
}
function mr(e) {
	return function() {
		return this.ownerDocument.createElementNS(e.space, e.local);
	};
}
function hr(e) {
	var t = fr(e);
	return (t.local ? mr : pr)(t);
}
function gr() {}
function _r(e) {
	return e == null ? gr : function() {
		return this.querySelector(e);
	};
}
function vr(e) {
	typeof e != "function" && (e = _r(e));
	for (var t = this._groups, n = t.length, r = Array(n), i = 0; i < n; ++i) for (var a = t[i], o = a.length, s = r[i] = Array(o), c, l, u = 0; u < o; ++u) (c = a[u]) && (l = e.call(c, c.__data__, u, a)) && ("__data__" in c && (l.__data__ = c.__data__), s[u] = l);
	return new G(r, this._parents);
}
function yr(e) {
	return e == null ? [] : Array.isArray(e) ? e : Array.from(e);
}
function br() {
	return [];
}
function xr(e) {
	return e == null ? br : function() {
		return this.querySelectorAll(e);
	};
}
function Sr(e) {
	return function() {
		return yr(e.apply(this, arguments));
	};
}
function Cr(e) {
	e = typeof e == "function" ? Sr(e) : xr(e);
	for (var t = this._groups, n = t.length, r = [], i = [], a = 0; a < n; ++a) for (var o = t[a], s = o.length, c, l = 0; l < s; ++l) (c = o[l]) && (r.push(e.call(c, c.__data__, l, o)), i.push(c));
	return new G(r, i);
}
function wr(e) {
	return function() {
		return this.matches(e);
	};
}
function Tr(e) {
	return function(t) {
		return t.matches(e);
	};
}
var Er = Array.prototype.find;
function Dr(e) {
	return function() {
		return Er.call(this.children, e);
	};
}
function Or() {
	return this.firstElementChild;
}
function kr(e) {
	return this.select(e == null ? Or : Dr(typeof e == "function" ? e : Tr(e)));
}
var Ar = Array.prototype.filter;
function jr() {
	return Array.from(this.children);
}
function Mr(e) {
	return function() {
		return Ar.call(this.children, e);
	};
}
function Nr(e) {
	return this.selectAll(e == null ? jr : Mr(typeof e == "function" ? e : Tr(e)));
}
function Pr(e) {
	typeof e != "function" && (e = wr(e));
	for (var t = this._groups, n = t.length, r = Array(n), i = 0; i < n; ++i) for (var a = t[i], o = a.length, s = r[i] = [], c, l = 0; l < o; ++l) (c = a[l]) && e.call(c, c.__data__, l, a) && s.push(c);
	return new G(r, this._parents);
}
function Fr(e) {
	return Array(e.length);
}
function Ir() {
	return new G(this._enter || this._groups.map(Fr), this._parents);
}
function Lr(e, t) {
	this.ownerDocument = e.ownerDocument, this.namespaceURI = e.namespaceURI, this._next = null, this._parent = e, this.__data__ = t;
}
Lr.prototype = {
	constructor: Lr,
	appendChild: function(e) {
		return this._parent.insertBefore(e, this._next);
	},
	insertBefore: function(e, t) {
		return this._parent.insertBefore(e, t);
	},
	querySelector: function(e) {
		return this._parent.querySelector(e);
	},
	querySelectorAll: function(e) {
		return this._parent.querySelectorAll(e);
	}
};
function Rr(e) {
	return function() {
		return e;
	};
}
function zr(e, t, n, r, i, a) {
	for (var o = 0, s, c = t.length, l = a.length; o < l; ++o) (s = t[o]) ? (s.__data__ = a[o], r[o] = s) : n[o] = new Lr(e, a[o]);
	for (; o < c; ++o) (s = t[o]) && (i[o] = s);
}
function Br(e, t, n, r, i, a, o) {
	var s, c, l = /* @__PURE__ */ new Map(), u = t.length, d = a.length, f = Array(u), p;
	for (s = 0; s < u; ++s) (c = t[s]) && (f[s] = p = o.call(c, c.__data__, s, t) + "", l.has(p) ? i[s] = c : l.set(p, c));
	for (s = 0; s < d; ++s) p = o.call(e, a[s], s, a) + "", (c = l.get(p)) ? (r[s] = c, c.__data__ = a[s], l.delete(p)) : n[s] = new Lr(e, a[s]);
	for (s = 0; s < u; ++s) (c = t[s]) && l.get(f[s]) === c && (i[s] = c);
}
function Vr(e) {
	return e.__data__;
}
function Hr(e, t) {
	if (!arguments.length) return Array.from(this, Vr);
	var n = t ? Br : zr, r = this._parents, i = this._groups;
	typeof e != "function" && (e = Rr(e));
	for (var a = i.length, o = Array(a), s = Array(a), c = Array(a), l = 0; l < a; ++l) {
		var u = r[l], d = i[l], f = d.length, p = Ur(e.call(u, u && u.__data__, l, r)), m = p.length, h = s[l] = Array(m), g = o[l] = Array(m);
		n(u, d, h, g, c[l] = Array(f), p, t);
		for (var _ = 0, v = 0, y, b; _ < m; ++_) if (y = h[_]) {
			for (_ >= v && (v = _ + 1); !(b = g[v]) && ++v < m;);
			y._next = b || null;
		}
	}
	return o = new G(o, r), o._enter = s, o._exit = c, o;
}
function Ur(e) {
	return typeof e == "object" && "length" in e ? e : Array.from(e);
}
function Wr() {
	return new G(this._exit || this._groups.map(Fr), this._parents);
}
function Gr(e, t, n) {
	var r = this.enter(), i = this, a = this.exit();
	return typeof e == "function" ? (r = e(r), r &&= r.selection()) : r = r.append(e + ""), t != null && (i = t(i), i &&= i.selection()), n == null ? a.remove() : n(a), r && i ? r.merge(i).order() : i;
}
function Kr(e) {
	for (var t = e.selection ? e.selection() : e, n = this._groups, r = t._groups, i = n.length, a = r.length, o = Math.min(i, a), s = Array(i), c = 0; c < o; ++c) for (var l = n[c], u = r[c], d = l.length, f = s[c] = Array(d), p, m = 0; m < d; ++m) (p = l[m] || u[m]) && (f[m] = p);
	for (; c < i; ++c) s[c] = n[c];
	return new G(s, this._parents);
}
function qr() {
	for (var e = this._groups, t = -1, n = e.length; ++t < n;) for (var r = e[t], i = r.length - 1, a = r[i], o; --i >= 0;) (o = r[i]) && (a && o.compareDocumentPosition(a) ^ 4 && a.parentNode.insertBefore(o, a), a = o);
	return this;
}
function Jr(e) {
	e ||= Yr;
	function t(t, n) {
		return t && n ? e(t.__data__, n.__data__) : !t - !n;
	}
	for (var n = this._groups, r = n.length, i = Array(r), a = 0; a < r; ++a) {
		for (var o = n[a], s = o.length, c = i[a] = Array(s), l, u = 0; u < s; ++u) (l = o[u]) && (c[u] = l);
		c.sort(t);
	}
	return new G(i, this._parents).order();
}
function Yr(e, t) {
	return e < t ? -1 : e > t ? 1 : e >= t ? 0 : NaN;
}
function Xr() {
	var e = arguments[0];
	return arguments[0] = this, e.apply(null, arguments), this;
}
function Zr() {
	return Array.from(this);
}
function Qr() {
	for (var e = this._groups, t = 0, n = e.length; t < n; ++t) for (var r = e[t], i = 0, a = r.length; i < a; ++i) {
		var o = r[i];
		if (o) return o;
	}
	return null;
}
function $r() {
	let e = 0;
	for (let t of this) ++e;
	return e;
}
function ei() {
	return !this.node();
}
function ti(e) {
	for (var t = this._groups, n = 0, r = t.length; n < r; ++n) for (var i = t[n], a = 0, o = i.length, s; a < o; ++a) (s = i[a]) && e.call(s, s.__data__, a, i);
	return this;
}
function ni(e) {
	return function() {
		this.removeAttribute(e);
	};
}
function ri(e) {
	return function() {
		this.removeAttributeNS(e.space, e.local);
	};
}
function ii(e, t) {
	return function() {
		this.setAttribute(e, t);
	};
}
function ai(e, t) {
	return function() {
		this.setAttributeNS(e.space, e.local, t);
	};
}
function oi(e, t) {
	return function() {
		var n = t.apply(this, arguments);
		n == null ? this.removeAttribute(e) : this.setAttribute(e, n);
	};
}
function si(e, t) {
	return function() {
		var n = t.apply(this, arguments);
		n == null ? this.removeAttributeNS(e.space, e.local) : this.setAttributeNS(e.space, e.local, n);
	};
}
function ci(e, t) {
	var n = fr(e);
	if (arguments.length < 2) {
		var r = this.node();
		return n.local ? r.getAttributeNS(n.space, n.local) : r.getAttribute(n);
	}
	return this.each((t == null ? n.local ? ri : ni : typeof t == "function" ? n.local ? si : oi : n.local ? ai : ii)(n, t));
}
function li(e) {
	return e.ownerDocument && e.ownerDocument.defaultView || e.document && e || e.defaultView;
}
function ui(e) {
	return function() {
		this.style.removeProperty(e);
	};
}
function di(e, t, n) {
	return function() {
		this.style.setProperty(e, t, n);
	};
}
function fi(e, t, n) {
	return function() {
		var r = t.apply(this, arguments);
		r == null ? this.style.removeProperty(e) : this.style.setProperty(e, r, n);
	};
}
function pi(e, t, n) {
	return arguments.length > 1 ? this.each((t == null ? ui : typeof t == "function" ? fi : di)(e, t, n ?? "")) : mi(this.node(), e);
}
function mi(e, t) {
	return e.style.getPropertyValue(t) || li(e).getComputedStyle(e, null).getPropertyValue(t);
}
function hi(e) {
	return function() {
		delete this[e];
	};
}
function gi(e, t) {
	return function() {
		this[e] = t;
	};
}
function _i(e, t) {
	return function() {
		var n = t.apply(this, arguments);
		n == null ? delete this[e] : this[e] = n;
	};
}
function vi(e, t) {
	return arguments.length > 1 ? this.each((t == null ? hi : typeof t == "function" ? _i : gi)(e, t)) : this.node()[e];
}
function yi(e) {
	return e.trim().split(/^|\s+/);
}
function bi(e) {
	return e.classList || new xi(e);
}
function xi(e) {
	this._node = e, this._names = yi(e.getAttribute("class") || "");
}
xi.prototype = {
	add: function(e) {
		this._names.indexOf(e) < 0 && (this._names.push(e), this._node.setAttribute("class", this._names.join(" ")));
	},
	remove: function(e) {
		var t = this._names.indexOf(e);
		t >= 0 && (this._names.splice(t, 1), this._node.setAttribute("class", this._names.join(" ")));
	},
	contains: function(e) {
		return this._names.indexOf(e) >= 0;
	}
};
function Si(e, t) {
	for (var n = bi(e), r = -1, i = t.length; ++r < i;) n.add(t[r]);
}
function Ci(e, t) {
	for (var n = bi(e), r = -1, i = t.length; ++r < i;) n.remove(t[r]);
}
function wi(e) {
	return function() {
		Si(this, e);
	};
}
function Ti(e) {
	return function() {
		Ci(this, e);
	};
}
function Ei(e, t) {
	return function() {
		(t.apply(this, arguments) ? Si : Ci)(this, e);
	};
}
function Di(e, t) {
	var n = yi(e + "");
	if (arguments.length < 2) {
		for (var r = bi(this.node()), i = -1, a = n.length; ++i < a;) if (!r.contains(n[i])) return !1;
		return !0;
	}
	return this.each((typeof t == "function" ? Ei : t ? wi : Ti)(n, t));
}
function Oi() {
	this.textContent = "";
}
function ki(e) {
	return function() {
		this.textContent = e;
	};
}
function Ai(e) {
	return function() {
		var t = e.apply(this, arguments);
		this.textContent = t ?? "";
	};
}
function ji(e) {
	return arguments.length ? this.each(e == null ? Oi : (typeof e == "function" ? Ai : ki)(e)) : this.node().textContent;
}
function Mi() {
	this.innerHTML = "";
}
function Ni(e) {
	return function() {
		this.innerHTML = e;
	};
}
function Pi(e) {
	return function() {
		var t = e.apply(this, arguments);
		this.innerHTML = t ?? "";
	};
}
function Fi(e) {
	return arguments.length ? this.each(e == null ? Mi : (typeof e == "function" ? Pi : Ni)(e)) : this.node().innerHTML;
}
function Ii() {
	this.nextSibling && this.parentNode.appendChild(this);
}
function Li() {
	return this.each(Ii);
}
function Ri() {
	this.previousSibling && this.parentNode.insertBefore(this, this.parentNode.firstChild);
}
function zi() {
	return this.each(Ri);
}
function Bi(e) {
	var t = typeof e == "function" ? e : hr(e);
	return this.select(function() {
		return this.appendChild(t.apply(this, arguments));
	});
}
function Vi() {
	return null;
}
function Hi(e, t) {
	var n = typeof e == "function" ? e : hr(e), r = t == null ? Vi : typeof t == "function" ? t : _r(t);
	return this.select(function() {
		return this.insertBefore(n.apply(this, arguments), r.apply(this, arguments) || null);
	});
}
function Ui() {
	var e = this.parentNode;
	e && e.removeChild(this);
}
function Wi() {
	return this.each(Ui);
}
function Gi() {
	var e = this.cloneNode(!1), t = this.parentNode;
	return t ? t.insertBefore(e, this.nextSibling) : e;
}
function Ki() {
	var e = this.cloneNode(!0), t = this.parentNode;
	return t ? t.insertBefore(e, this.nextSibling) : e;
}
function qi(e) {
	return this.select(e ? Ki : Gi);
}
function Ji(e) {
	return arguments.length ? this.property("__data__", e) : this.node().__data__;
}
function Yi(e) {
	return function(t) {
		e.call(this, t, this.__data__);
	};
}
function Xi(e) {
	return e.trim().split(/^|\s+/).map(function(e) {
		var t = "", n = e.indexOf(".");
		return n >= 0 && (t = e.slice(n + 1), e = e.slice(0, n)), {
			type: e,
			name: t
		};
	});
}
function Zi(e) {
	return function() {
		var t = this.__on;
		if (t) {
			for (var n = 0, r = -1, i = t.length, a; n < i; ++n) a = t[n], (!e.type || a.type === e.type) && a.name === e.name ? this.removeEventListener(a.type, a.listener, a.options) : t[++r] = a;
			++r ? t.length = r : delete this.__on;
		}
	};
}
function Qi(e, t, n) {
	return function() {
		var r = this.__on, i, a = Yi(t);
		if (r) {
			for (var o = 0, s = r.length; o < s; ++o) if ((i = r[o]).type === e.type && i.name === e.name) {
				this.removeEventListener(i.type, i.listener, i.options), this.addEventListener(i.type, i.listener = a, i.options = n), i.value = t;
				return;
			}
		}
		this.addEventListener(e.type, a, n), i = {
			type: e.type,
			name: e.name,
			value: t,
			listener: a,
			options: n
		}, r ? r.push(i) : this.__on = [i];
	};
}
function $i(e, t, n) {
	var r = Xi(e + ""), i, a = r.length, o;
	if (arguments.length < 2) {
		var s = this.node().__on;
		if (s) {
			for (var c = 0, l = s.length, u; c < l; ++c) for (i = 0, u = s[c]; i < a; ++i) if ((o = r[i]).type === u.type && o.name === u.name) return u.value;
		}
	} else {
		for (s = t ? Qi : Zi, i = 0; i < a; ++i) this.each(s(r[i], t, n));
		return this;
	}
}
function ea(e, t, n) {
	var r = li(e), i = r.CustomEvent;
	typeof i == "function" ? i = new i(t, n) : (i = r.document.createEvent("Event"), n ? (i.initEvent(t, n.bubbles, n.cancelable), i.detail = n.detail) : i.initEvent(t, !1, !1)), e.dispatchEvent(i);
}
function ta(e, t) {
	return function() {
		return ea(this, e, t);
	};
}
function na(e, t) {
	return function() {
		return ea(this, e, t.apply(this, arguments));
	};
}
function ra(e, t) {
	return this.each((typeof t == "function" ? na : ta)(e, t));
}
function* ia() {
	for (var e = this._groups, t = 0, n = e.length; t < n; ++t) for (var r = e[t], i = 0, a = r.length, o; i < a; ++i) (o = r[i]) && (yield o);
}
var aa = [null];
function G(e, t) {
	this._groups = e, this._parents = t;
}
function oa() {
	return new G([[document.documentElement]], aa);
}
function sa() {
	return this;
}
G.prototype = oa.prototype = {
	constructor: G,
	select: vr,
	selectAll: Cr,
	selectChild: kr,
	selectChildren: Nr,
	filter: Pr,
	data: Hr,
	enter: Ir,
	exit: Wr,
	join: Gr,
	merge: Kr,
	selection: sa,
	order: qr,
	sort: Jr,
	call: Xr,
	nodes: Zr,
	node: Qr,
	size: $r,
	empty: ei,
	each: ti,
	attr: ci,
	style: pi,
	property: vi,
	classed: Di,
	text: ji,
	html: Fi,
	raise: Li,
	lower: zi,
	append: Bi,
	insert: Hi,
	remove: Wi,
	clone: qi,
	datum: Ji,
	on: $i,
	dispatch: ra,
	[Symbol.iterator]: ia
};
function ca(e) {
	return typeof e == "string" ? new G([[document.querySelector(e)]], [document.documentElement]) : new G([[e]], aa);
}
var la = 0;
function ua() {
	return new da();
}
function da() {
	this._ = "@" + (++la).toString(36);
}
da.prototype = ua.prototype = {
	constructor: da,
	get: function(e) {
		for (var t = this._; !(t in e);) if (!(e = e.parentNode)) return;
		return e[t];
	},
	set: function(e, t) {
		return e[this._] = t;
	},
	remove: function(e) {
		return this._ in e && delete e[this._];
	},
	toString: function() {
		return this._;
	}
};
function fa(e) {
	let t;
	for (; t = e.sourceEvent;) e = t;
	return e;
}
function pa(e, t) {
	if (e = fa(e), t === void 0 && (t = e.currentTarget), t) {
		var n = t.ownerSVGElement || t;
		if (n.createSVGPoint) {
			var r = n.createSVGPoint();
			return r.x = e.clientX, r.y = e.clientY, r = r.matrixTransform(t.getScreenCTM().inverse()), [r.x, r.y];
		}
		if (t.getBoundingClientRect) {
			var i = t.getBoundingClientRect();
			return [e.clientX - i.left - t.clientLeft, e.clientY - i.top - t.clientTop];
		}
	}
	return [e.pageX, e.pageY];
}
// node_modules/d3-dispatch/dist/d3-dispatch.mjs
var ma = { value: () => {} };
function ha() {
	for (var e = 0, t = arguments.length, n = {}, r; e < t; ++e) {
		if (!(r = arguments[e] + "") || r in n || /[\s.]/.test(r)) throw Error("illegal type: " + r);
		n[r] = [];
	}
	return new ga(n);
}
function ga(e) {
	this._ = e;
}
function _a(e, t) {
	return e.trim().split(/^|\s+/).map(function(e) {
		var n = "", r = e.indexOf(".");
		if (r >= 0 && (n = e.slice(r + 1), e = e.slice(0, r)), e && !t.hasOwnProperty(e)) throw Error("unknown type: " + e);
		return {
			type: e,
			name: n
		};
	});
}
ga.prototype = ha.prototype = {
	constructor: ga,
	on: function(e, t) {
		var n = this._, r = _a(e + "", n), i, a = -1, o = r.length;
		if (arguments.length < 2) {
			for (; ++a < o;) if ((i = (e = r[a]).type) && (i = va(n[i], e.name))) return i;
		} else {
			if (t != null && typeof t != "function") throw Error("invalid callback: " + t);
			for (; ++a < o;) if (i = (e = r[a]).type) n[i] = ya(n[i], e.name, t);
			else if (t == null) for (i in n) n[i] = ya(n[i], e.name, null);
			return this;
		}
	},
	copy: function() {
		var e = {}, t = this._;
		for (var n in t) e[n] = t[n].slice();
		return new ga(e);
	},
	call: function(e, t) {
		if ((i = arguments.length - 2) > 0) for (var n = Array(i), r = 0, i, a; r < i; ++r) n[r] = arguments[r + 2];
		if (!this._.hasOwnProperty(e)) throw Error("unknown type: " + e);
		for (a = this._[e], r = 0, i = a.length; r < i; ++r) a[r].value.apply(t, n);
	},
	apply: function(e, t, n) {
		if (!this._.hasOwnProperty(e)) throw Error("unknown type: " + e);
		for (var r = this._[e], i = 0, a = r.length; i < a; ++i) r[i].value.apply(t, n);
	}
};
function va(e, t) {
	for (var n = 0, r = e.length, i; n < r; ++n) if ((i = e[n]).name === t) return i.value;
}
function ya(e, t, n) {
	for (var r = 0, i = e.length; r < i; ++r) if (e[r].name === t) {
		e[r] = ma, e = e.slice(0, r).concat(e.slice(r + 1));
		break;
	}
	return n != null && e.push({
		name: t,
		value: n
	}), e;
}
// node_modules/d3-drag/dist/d3-drag.mjs
var ba = {
	capture: !0,
	passive: !1
};
function xa(e) {
	e.preventDefault(), e.stopImmediatePropagation();
}
function Sa(e) {
	var t = e.document.documentElement, n = ca(e).on("dragstart.drag", xa, ba);
	"onselectstart" in t ? n.on("selectstart.drag", xa, ba) : (t.__noselect = t.style.MozUserSelect, t.style.MozUserSelect = "none");
}
function Ca(e, t) {
	var n = e.document.documentElement, r = ca(e).on("dragstart.drag", null);
	t && (r.on("click.drag", xa, ba), setTimeout(function() {
		r.on("click.drag", null);
	}, 0)), "onselectstart" in n ? r.on("selectstart.drag", null) : (n.style.MozUserSelect = n.__noselect, delete n.__noselect);
}
function wa(e, { sourceEvent: t, subject: n, target: r, identifier: i, active: a, x: o, y: s, dx: c, dy: l, dispatch: u }) {
	Object.defineProperties(this, {
		type: {
			value: e,
			enumerable: !0,
			configurable: !0
		},
		sourceEvent: {
			value: t,
			enumerable: !0,
			configurable: !0
		},
		subject: {
			value: n,
			enumerable: !0,
			configurable: !0
		},
		target: {
			value: r,
			enumerable: !0,
			configurable: !0
		},
		identifier: {
			value: i,
			enumerable: !0,
			configurable: !0
		},
		active: {
			value: a,
			enumerable: !0,
			configurable: !0
		},
		x: {
			value: o,
			enumerable: !0,
			configurable: !0
		},
		y: {
			value: s,
			enumerable: !0,
			configurable: !0
		},
		dx: {
			value: c,
			enumerable: !0,
			configurable: !0
		},
		dy: {
			value: l,
			enumerable: !0,
			configurable: !0
		},
		_: { value: u }
	});
}
wa.prototype.on = function() {
	var e = this._.on.apply(this._, arguments);
	return e === this._ ? this : e;
};
// node_modules/d3-color/dist/d3-color.mjs
function Ta(e, t, n) {
	e.prototype = t.prototype = n, n.constructor = e;
}
function Ea(e, t) {
	var n = Object.create(e.prototype);
	for (var r in t) n[r] = t[r];
	return n;
}
function Da() {}
var Oa = .7, ka = 1 / Oa, Aa = "\\s*([+-]?\\d+)\\s*", ja = "\\s*([+-]?(?:\\d*\\.)?\\d+(?:[eE][+-]?\\d+)?)\\s*", K = "\\s*([+-]?(?:\\d*\\.)?\\d+(?:[eE][+-]?\\d+)?)%\\s*", Ma = /^#([0-9a-f]{3,8})$/, Na = RegExp(`^rgb\\(${Aa},${Aa},${Aa}\\)$`), Pa = RegExp(`^rgb\\(${K},${K},${K}\\)$`), Fa = RegExp(`^rgba\\(${Aa},${Aa},${Aa},${ja}\\)$`), Ia = RegExp(`^rgba\\(${K},${K},${K},${ja}\\)$`), La = RegExp(`^hsl\\(${ja},${K},${K}\\)$`), Ra = RegExp(`^hsla\\(${ja},${K},${K},${ja}\\)$`), za = {
	aliceblue: 15792383,
	antiquewhite: 16444375,
	aqua: 65535,
	aquamarine: 8388564,
	azure: 15794175,
	beige: 16119260,
	bisque: 16770244,
	black: 0,
	blanchedalmond: 16772045,
	blue: 255,
	blueviolet: 9055202,
	brown: 10824234,
	burlywood: 14596231,
	cadetblue: 6266528,
	chartreuse: 8388352,
	chocolate: 13789470,
	coral: 16744272,
	cornflowerblue: 6591981,
	cornsilk: 16775388,
	crimson: 14423100,
	cyan: 65535,
	darkblue: 139,
	darkcyan: 35723,
	darkgoldenrod: 12092939,
	darkgray: 11119017,
	darkgreen: 25600,
	darkgrey: 11119017,
	darkkhaki: 12433259,
	darkmagenta: 9109643,
	darkolivegreen: 5597999,
	darkorange: 16747520,
	darkorchid: 10040012,
	darkred: 9109504,
	darksalmon: 15308410,
	darkseagreen: 9419919,
	darkslateblue: 4734347,
	darkslategray: 3100495,
	darkslategrey: 3100495,
	darkturquoise: 52945,
	darkviolet: 9699539,
	deeppink: 16716947,
	deepskyblue: 49151,
	dimgray: 6908265,
	dimgrey: 6908265,
	dodgerblue: 2003199,
	firebrick: 11674146,
	floralwhite: 16775920,
	forestgreen: 2263842,
	fuchsia: 16711935,
	gainsboro: 14474460,
	ghostwhite: 16316671,
	gold: 16766720,
	goldenrod: 14329120,
	gray: 8421504,
	green: 32768,
	greenyellow: 11403055,
	grey: 8421504,
	honeydew: 15794160,
	hotpink: 16738740,
	indianred: 13458524,
	indigo: 4915330,
	ivory: 16777200,
	khaki: 15787660,
	lavender: 15132410,
	lavenderblush: 16773365,
	lawngreen: 8190976,
	lemonchiffon: 16775885,
	lightblue: 11393254,
	lightcoral: 15761536,
	lightcyan: 14745599,
	lightgoldenrodyellow: 16448210,
	lightgray: 13882323,
	lightgreen: 9498256,
	lightgrey: 13882323,
	lightpink: 16758465,
	lightsalmon: 16752762,
	lightseagreen: 2142890,
	lightskyblue: 8900346,
	lightslategray: 7833753,
	lightslategrey: 7833753,
	lightsteelblue: 11584734,
	lightyellow: 16777184,
	lime: 65280,
	limegreen: 3329330,
	linen: 16445670,
	magenta: 16711935,
	maroon: 8388608,
	mediumaquamarine: 6737322,
	mediumblue: 205,
	mediumorchid: 12211667,
	mediumpurple: 9662683,
	mediumseagreen: 3978097,
	mediumslateblue: 8087790,
	mediumspringgreen: 64154,
	mediumturquoise: 4772300,
	mediumvioletred: 13047173,
	midnightblue: 1644912,
	mintcream: 16121850,
	mistyrose: 16770273,
	moccasin: 16770229,
	navajowhite: 16768685,
	navy: 128,
	oldlace: 16643558,
	olive: 8421376,
	olivedrab: 7048739,
	orange: 16753920,
	orangered: 16729344,
	orchid: 14315734,
	palegoldenrod: 15657130,
	palegreen: 10025880,
	paleturquoise: 11529966,
	palevioletred: 14381203,
	papayawhip: 16773077,
	peachpuff: 16767673,
	peru: 13468991,
	pink: 16761035,
	plum: 14524637,
	powderblue: 11591910,
	purple: 8388736,
	rebeccapurple: 6697881,
	red: 16711680,
	rosybrown: 12357519,
	royalblue: 4286945,
	saddlebrown: 9127187,
	salmon: 16416882,
	sandybrown: 16032864,
	seagreen: 3050327,
	seashell: 16774638,
	sienna: 10506797,
	silver: 12632256,
	skyblue: 8900331,
	slateblue: 6970061,
	slategray: 7372944,
	slategrey: 7372944,
	snow: 16775930,
	springgreen: 65407,
	steelblue: 4620980,
	tan: 13808780,
	teal: 32896,
	thistle: 14204888,
	tomato: 16737095,
	turquoise: 4251856,
	violet: 15631086,
	wheat: 16113331,
	white: 16777215,
	whitesmoke: 16119285,
	yellow: 16776960,
	yellowgreen: 10145074
};
Ta(Da, Wa, {
	copy(e) {
		return Object.assign(new this.constructor(), this, e);
	},
	displayable() {
		return this.rgb().displayable();
	},
	hex: Ba,
	formatHex: Ba,
	formatHex8: Va,
	formatHsl: Ha,
	formatRgb: Ua,
	toString: Ua
});
function Ba() {
	return this.rgb().formatHex();
}
function Va() {
	return this.rgb().formatHex8();
}
function Ha() {
	return no(this).formatHsl();
}
function Ua() {
	return this.rgb().formatRgb();
}
function Wa(e) {
	var t, n;
	return e = (e + "").trim().toLowerCase(), (t = Ma.exec(e)) ? (n = t[1].length, t = parseInt(t[1], 16), n === 6 ? Ga(t) : n === 3 ? new q(t >> 8 & 15 | t >> 4 & 240, t >> 4 & 15 | t & 240, (t & 15) << 4 | t & 15, 1) : n === 8 ? Ka(t >> 24 & 255, t >> 16 & 255, t >> 8 & 255, (t & 255) / 255) : n === 4 ? Ka(t >> 12 & 15 | t >> 8 & 240, t >> 8 & 15 | t >> 4 & 240, t >> 4 & 15 | t & 240, ((t & 15) << 4 | t & 15) / 255) : null) : (t = Na.exec(e)) ? new q(t[1], t[2], t[3], 1) : (t = Pa.exec(e)) ? new q(t[1] * 255 / 100, t[2] * 255 / 100, t[3] * 255 / 100, 1) : (t = Fa.exec(e)) ? Ka(t[1], t[2], t[3], t[4]) : (t = Ia.exec(e)) ? Ka(t[1] * 255 / 100, t[2] * 255 / 100, t[3] * 255 / 100, t[4]) : (t = La.exec(e)) ? to(t[1], t[2] / 100, t[3] / 100, 1) : (t = Ra.exec(e)) ? to(t[1], t[2] / 100, t[3] / 100, t[4]) : za.hasOwnProperty(e) ? Ga(za[e]) : e === "transparent" ? new q(NaN, NaN, NaN, 0) : null;
}
function Ga(e) {
	return new q(e >> 16 & 255, e >> 8 & 255, e & 255, 1);
}
function Ka(e, t, n, r) {
	return r <= 0 && (e = t = n = NaN), new q(e, t, n, r);
}
function qa(e) {
	return e instanceof Da || (e = Wa(e)), e ? (e = e.rgb(), new q(e.r, e.g, e.b, e.opacity)) : new q();
}
function Ja(e, t, n, r) {
	return arguments.length === 1 ? qa(e) : new q(e, t, n, r ?? 1);
}
function q(e, t, n, r) {
	this.r = +e, this.g = +t, this.b = +n, this.opacity = +r;
}
Ta(q, Ja, Ea(Da, {
	brighter(e) {
		return e = e == null ? ka : ka ** +e, new q(this.r * e, this.g * e, this.b * e, this.opacity);
	},
	darker(e) {
		return e = e == null ? Oa : Oa ** +e, new q(this.r * e, this.g * e, this.b * e, this.opacity);
	},
	rgb() {
		return this;
	},
	clamp() {
		return new q($a(this.r), $a(this.g), $a(this.b), Qa(this.opacity));
	},
	displayable() {
		return -.5 <= this.r && this.r < 255.5 && -.5 <= this.g && this.g < 255.5 && -.5 <= this.b && this.b < 255.5 && 0 <= this.opacity && this.opacity <= 1;
	},
	hex: Ya,
	formatHex: Ya,
	formatHex8: Xa,
	formatRgb: Za,
	toString: Za
}));
function Ya() {
	return `#${eo(this.r)}${eo(this.g)}${eo(this.b)}`;
}
function Xa() {
	return `#${eo(this.r)}${eo(this.g)}${eo(this.b)}${eo((isNaN(this.opacity) ? 1 : this.opacity) * 255)}`;
}
function Za() {
	let e = Qa(this.opacity);
	return `${e === 1 ? "rgb(" : "rgba("}${$a(this.r)}, ${$a(this.g)}, ${$a(this.b)}${e === 1 ? ")" : `, ${e})`}`;
}
function Qa(e) {
	return isNaN(e) ? 1 : Math.max(0, Math.min(1, e));
}
function $a(e) {
	return Math.max(0, Math.min(255, Math.round(e) || 0));
}
function eo(e) {
	return e = $a(e), (e < 16 ? "0" : "") + e.toString(16);
}
function to(e, t, n, r) {
	return r <= 0 ? e = t = n = NaN : n <= 0 || n >= 1 ? e = t = NaN : t <= 0 && (e = NaN), new J(e, t, n, r);
}
function no(e) {
	if (e instanceof J) return new J(e.h, e.s, e.l, e.opacity);
	if (e instanceof Da || (e = Wa(e)), !e) return new J();
	if (e instanceof J) return e;
	e = e.rgb();
	var t = e.r / 255, n = e.g / 255, r = e.b / 255, i = Math.min(t, n, r), a = Math.max(t, n, r), o = NaN, s = a - i, c = (a + i) / 2;
	return s ? (o = t === a ? (n - r) / s + (n < r) * 6 : n === a ? (r - t) / s + 2 : (t - n) / s + 4, s /= c < .5 ? a + i : 2 - a - i, o *= 60) : s = c > 0 && c < 1 ? 0 : o, new J(o, s, c, e.opacity);
}
function ro(e, t, n, r) {
	return arguments.length === 1 ? no(e) : new J(e, t, n, r ?? 1);
}
function J(e, t, n, r) {
	this.h = +e, this.s = +t, this.l = +n, this.opacity = +r;
}
Ta(J, ro, Ea(Da, {
	brighter(e) {
		return e = e == null ? ka : ka ** +e, new J(this.h, this.s, this.l * e, this.opacity);
	},
	darker(e) {
		return e = e == null ? Oa : Oa ** +e, new J(this.h, this.s, this.l * e, this.opacity);
	},
	rgb() {
		var e = this.h % 360 + (this.h < 0) * 360, t = isNaN(e) || isNaN(this.s) ? 0 : this.s, n = this.l, r = n + (n < .5 ? n : 1 - n) * t, i = 2 * n - r;
		return new q(oo(e >= 240 ? e - 240 : e + 120, i, r), oo(e, i, r), oo(e < 120 ? e + 240 : e - 120, i, r), this.opacity);
	},
	clamp() {
		return new J(io(this.h), ao(this.s), ao(this.l), Qa(this.opacity));
	},
	displayable() {
		return (0 <= this.s && this.s <= 1 || isNaN(this.s)) && 0 <= this.l && this.l <= 1 && 0 <= this.opacity && this.opacity <= 1;
	},
	formatHsl() {
		let e = Qa(this.opacity);
		return `${e === 1 ? "hsl(" : "hsla("}${io(this.h)}, ${ao(this.s) * 100}%, ${ao(this.l) * 100}%${e === 1 ? ")" : `, ${e})`}`;
	}
}));
function io(e) {
	return e = (e || 0) % 360, e < 0 ? e + 360 : e;
}
function ao(e) {
	return Math.max(0, Math.min(1, e || 0));
}
function oo(e, t, n) {
	return (e < 60 ? t + (n - t) * e / 60 : e < 180 ? n : e < 240 ? t + (n - t) * (240 - e) / 60 : t) * 255;
}
var so = Math.PI / 180, co = 180 / Math.PI, lo = 18, uo = .96422, fo = 1, po = .82521, mo = 4 / 29, ho = 6 / 29, go = 3 * ho * ho, _o = ho * ho * ho;
function vo(e) {
	if (e instanceof Y) return new Y(e.l, e.a, e.b, e.opacity);
	if (e instanceof Eo) return Do(e);
	e instanceof q || (e = qa(e));
	var t = Co(e.r), n = Co(e.g), r = Co(e.b), i = bo((.2225045 * t + .7168786 * n + .0606169 * r) / fo), a, o;
	return t === n && n === r ? a = o = i : (a = bo((.4360747 * t + .3850649 * n + .1430804 * r) / uo), o = bo((.0139322 * t + .0971045 * n + .7141733 * r) / po)), new Y(116 * i - 16, 500 * (a - i), 200 * (i - o), e.opacity);
}
function yo(e, t, n, r) {
	return arguments.length === 1 ? vo(e) : new Y(e, t, n, r ?? 1);
}
function Y(e, t, n, r) {
	this.l = +e, this.a = +t, this.b = +n, this.opacity = +r;
}
Ta(Y, yo, Ea(Da, {
	brighter(e) {
		return new Y(this.l + lo * (e ?? 1), this.a, this.b, this.opacity);
	},
	darker(e) {
		return new Y(this.l - lo * (e ?? 1), this.a, this.b, this.opacity);
	},
	rgb() {
		var e = (this.l + 16) / 116, t = isNaN(this.a) ? e : e + this.a / 500, n = isNaN(this.b) ? e : e - this.b / 200;
		return t = uo * xo(t), e = fo * xo(e), n = po * xo(n), new q(So(3.1338561 * t - 1.6168667 * e - .4906146 * n), So(-.9787684 * t + 1.9161415 * e + .033454 * n), So(.0719453 * t - .2289914 * e + 1.4052427 * n), this.opacity);
	}
}));
function bo(e) {
	return e > _o ? e ** (1 / 3) : e / go + mo;
}
function xo(e) {
	return e > ho ? e * e * e : go * (e - mo);
}
function So(e) {
	return 255 * (e <= .0031308 ? 12.92 * e : 1.055 * e ** (1 / 2.4) - .055);
}
function Co(e) {
	return (e /= 255) <= .04045 ? e / 12.92 : ((e + .055) / 1.055) ** 2.4;
}
function wo(e) {
	if (e instanceof Eo) return new Eo(e.h, e.c, e.l, e.opacity);
	if (e instanceof Y || (e = vo(e)), e.a === 0 && e.b === 0) return new Eo(NaN, 0 < e.l && e.l < 100 ? 0 : NaN, e.l, e.opacity);
	var t = Math.atan2(e.b, e.a) * co;
	return new Eo(t < 0 ? t + 360 : t, Math.sqrt(e.a * e.a + e.b * e.b), e.l, e.opacity);
}
function To(e, t, n, r) {
	return arguments.length === 1 ? wo(e) : new Eo(e, t, n, r ?? 1);
}
function Eo(e, t, n, r) {
	this.h = +e, this.c = +t, this.l = +n, this.opacity = +r;
}
function Do(e) {
	if (isNaN(e.h)) return new Y(e.l, 0, 0, e.opacity);
	var t = e.h * so;
	return new Y(e.l, Math.cos(t) * e.c, Math.sin(t) * e.c, e.opacity);
}
Ta(Eo, To, Ea(Da, {
	brighter(e) {
		return new Eo(this.h, this.c, this.l + lo * (e ?? 1), this.opacity);
	},
	darker(e) {
		return new Eo(this.h, this.c, this.l - lo * (e ?? 1), this.opacity);
	},
	rgb() {
		return Do(this).rgb();
	}
}));
var Oo = -.14861, ko = 1.78277, Ao = -.29227, jo = -.90649, Mo = 1.97294, No = Mo * jo, Po = Mo * ko, Fo = ko * Ao - jo * Oo;
function Io(e) {
	if (e instanceof Ro) return new Ro(e.h, e.s, e.l, e.opacity);
	e instanceof q || (e = qa(e));
	var t = e.r / 255, n = e.g / 255, r = e.b / 255, i = (Fo * r + No * t - Po * n) / (Fo + No - Po), a = r - i, o = (Mo * (n - i) - Ao * a) / jo, s = Math.sqrt(o * o + a * a) / (Mo * i * (1 - i)), c = s ? Math.atan2(o, a) * co - 120 : NaN;
	return new Ro(c < 0 ? c + 360 : c, s, i, e.opacity);
}
function Lo(e, t, n, r) {
	return arguments.length === 1 ? Io(e) : new Ro(e, t, n, r ?? 1);
}
function Ro(e, t, n, r) {
	this.h = +e, this.s = +t, this.l = +n, this.opacity = +r;
}
Ta(Ro, Lo, Ea(Da, {
	brighter(e) {
		return e = e == null ? ka : ka ** +e, new Ro(this.h, this.s, this.l * e, this.opacity);
	},
	darker(e) {
		return e = e == null ? Oa : Oa ** +e, new Ro(this.h, this.s, this.l * e, this.opacity);
	},
	rgb() {
		var e = isNaN(this.h) ? 0 : (this.h + 120) * so, t = +this.l, n = isNaN(this.s) ? 0 : this.s * t * (1 - t), r = Math.cos(e), i = Math.sin(e);
		return new q(255 * (t + n * (Oo * r + ko * i)), 255 * (t + n * (Ao * r + jo * i)), 255 * (t + Mo * r * n), this.opacity);
	}
}));
var zo = (e) => () => e;
function Bo(e, t) {
	return function(n) {
		return e + n * t;
	};
}
function Vo(e, t, n) {
	return e **= +n, t = t ** +n - e, n = 1 / n, function(r) {
		return (e + r * t) ** +n;
	};
}
function Ho(e, t) {
	var n = t - e;
	return n ? Bo(e, n > 180 || n < -180 ? n - 360 * Math.round(n / 360) : n) : zo(isNaN(e) ? t : e);
}
function Uo(e) {
	return (e = +e) == 1 ? X : function(t, n) {
		return n - t ? Vo(t, n, e) : zo(isNaN(t) ? n : t);
	};
}
function X(e, t) {
	var n = t - e;
	return n ? Bo(e, n) : zo(isNaN(e) ? t : e);
}
var Wo = (function e(t) {
	var n = Uo(t);
	function r(e, t) {
		var r = n((e = Ja(e)).r, (t = Ja(t)).r), i = n(e.g, t.g), a = n(e.b, t.b), o = X(e.opacity, t.opacity);
		return function(t) {
			return e.r = r(t), e.g = i(t), e.b = a(t), e.opacity = o(t), e + "";
		};
	}
	return r.gamma = e, r;
})(1);
function Go(e, t) {
	t ||= [];
	var n = e ? Math.min(t.length, e.length) : 0, r = t.slice(), i;
	return function(a) {
		for (i = 0; i < n; ++i) r[i] = e[i] * (1 - a) + t[i] * a;
		return r;
	};
}
function Ko(e) {
	return ArrayBuffer.isView(e) && !(e instanceof DataView);
}
function qo(e, t) {
	for (var n = t ? t.length : 0, r = e ? Math.min(n, e.length) : 0, i = Array(r), a = Array(n), o = 0; o < r; ++o) i[o] = ts(e[o], t[o]);
	for (; o < n; ++o) a[o] = t[o];
	return function(e) {
		for (o = 0; o < r; ++o) a[o] = i[o](e);
		return a;
	};
}
function Jo(e, t) {
	var n = /* @__PURE__ */ new Date();
	return e = +e, t = +t, function(r) {
		return n.setTime(e * (1 - r) + t * r), n;
	};
}
function Z(e, t) {
	return e = +e, t = +t, function(n) {
		return e * (1 - n) + t * n;
	};
}
function Yo(e, t) {
	var n = {}, r = {}, i;
	for (i in typeof e == "object" && e || (e = {}), typeof t == "object" && t || (t = {}), t) i in e ? n[i] = ts(e[i], t[i]) : r[i] = t[i];
	return function(e) {
		for (i in n) r[i] = n[i](e);
		return r;
	};
}
var Xo = /[-+]?(?:\d+\.?\d*|\.?\d+)(?:[eE][-+]?\d+)?/g, Zo = new RegExp(Xo.source, "g");
function Qo(e) {
	return function() {
		return e;
	};
}
function $o(e) {
	return function(t) {
		return e(t) + "";
	};
}
function es(e, t) {
	var n = Xo.lastIndex = Zo.lastIndex = 0, r, i, a, o = -1, s = [], c = [];
	for (e += "", t += ""; (r = Xo.exec(e)) && (i = Zo.exec(t));) (a = i.index) > n && (a = t.slice(n, a), s[o] ? s[o] += a : s[++o] = a), (r = r[0]) === (i = i[0]) ? s[o] ? s[o] += i : s[++o] = i : (s[++o] = null, c.push({
		i: o,
		x: Z(r, i)
	})), n = Zo.lastIndex;
	return n < t.length && (a = t.slice(n), s[o] ? s[o] += a : s[++o] = a), s.length < 2 ? c[0] ? $o(c[0].x) : Qo(t) : (t = c.length, function(e) {
		for (var n = 0, r; n < t; ++n) s[(r = c[n]).i] = r.x(e);
		return s.join("");
	});
}
function ts(e, t) {
	var n = typeof t, r;
	return t == null || n === "boolean" ? zo(t) : (n === "number" ? Z : n === "string" ? (r = Wa(t)) ? (t = r, Wo) : es : t instanceof Wa ? Wo : t instanceof Date ? Jo : Ko(t) ? Go : Array.isArray(t) ? qo : typeof t.valueOf != "function" && typeof t.toString != "function" || isNaN(t) ? Yo : Z)(e, t);
}
var ns = 180 / Math.PI, rs = {
	translateX: 0,
	translateY: 0,
	rotate: 0,
	skewX: 0,
	scaleX: 1,
	scaleY: 1
};
function is(e, t, n, r, i, a) {
	var o, s, c;
	return (o = Math.sqrt(e * e + t * t)) && (e /= o, t /= o), (c = e * n + t * r) && (n -= e * c, r -= t * c), (s = Math.sqrt(n * n + r * r)) && (n /= s, r /= s, c /= s), e * r < t * n && (e = -e, t = -t, c = -c, o = -o), {
		translateX: i,
		translateY: a,
		rotate: Math.atan2(t, e) * ns,
		skewX: Math.atan(c) * ns,
		scaleX: o,
		scaleY: s
	};
}
var as;
function os(e) {
	let t = new (typeof DOMMatrix == "function" ? DOMMatrix : WebKitCSSMatrix)(e + "");
	return t.isIdentity ? rs : is(t.a, t.b, t.c, t.d, t.e, t.f);
}
function ss(e) {
	return e == null || (as ||= document.createElementNS("http://www.w3.org/2000/svg", "g"), as.setAttribute("transform", e), !(e = as.transform.baseVal.consolidate())) ? rs : (e = e.matrix, is(e.a, e.b, e.c, e.d, e.e, e.f));
}
function cs(e, t, n, r) {
	function i(e) {
		return e.length ? e.pop() + " " : "";
	}
	function a(e, r, i, a, o, s) {
		if (e !== i || r !== a) {
			var c = o.push("translate(", null, t, null, n);
			s.push({
				i: c - 4,
				x: Z(e, i)
			}, {
				i: c - 2,
				x: Z(r, a)
			});
		} else (i || a) && o.push("translate(" + i + t + a + n);
	}
	function o(e, t, n, a) {
		e === t ? t && n.push(i(n) + "rotate(" + t + r) : (e - t > 180 ? t += 360 : t - e > 180 && (e += 360), a.push({
			i: n.push(i(n) + "rotate(", null, r) - 2,
			x: Z(e, t)
		}));
	}
	function s(e, t, n, a) {
		e === t ? t && n.push(i(n) + "skewX(" + t + r) : a.push({
			i: n.push(i(n) + "skewX(", null, r) - 2,
			x: Z(e, t)
		});
	}
	function c(e, t, n, r, a, o) {
		if (e !== n || t !== r) {
			var s = a.push(i(a) + "scale(", null, ",", null, ")");
			o.push({
				i: s - 4,
				x: Z(e, n)
			}, {
				i: s - 2,
				x: Z(t, r)
			});
		} else (n !== 1 || r !== 1) && a.push(i(a) + "scale(" + n + "," + r + ")");
	}
	return function(t, n) {
		var r = [], i = [];
		return t = e(t), n = e(n), a(t.translateX, t.translateY, n.translateX, n.translateY, r, i), o(t.rotate, n.rotate, r, i), s(t.skewX, n.skewX, r, i), c(t.scaleX, t.scaleY, n.scaleX, n.scaleY, r, i), t = n = null, function(e) {
			for (var t = -1, n = i.length, a; ++t < n;) r[(a = i[t]).i] = a.x(e);
			return r.join("");
		};
	};
}
var ls = cs(os, "px, ", "px)", "deg)"), us = cs(ss, ", ", ")", ")"), ds = 1e-12;
function fs(e) {
	return ((e = Math.exp(e)) + 1 / e) / 2;
}
function ps(e) {
	return ((e = Math.exp(e)) - 1 / e) / 2;
}
function ms(e) {
	return ((e = Math.exp(2 * e)) - 1) / (e + 1);
}
var hs = (function e(t, n, r) {
	function i(e, i) {
		var a = e[0], o = e[1], s = e[2], c = i[0], l = i[1], u = i[2], d = c - a, f = l - o, p = d * d + f * f, m, h;
		if (p < ds) h = Math.log(u / s) / t, m = function(e) {
			return [
				a + e * d,
				o + e * f,
				s * Math.exp(t * e * h)
			];
		};
		else {
			var g = Math.sqrt(p), _ = (u * u - s * s + r * p) / (2 * s * n * g), v = (u * u - s * s - r * p) / (2 * u * n * g), y = Math.log(Math.sqrt(_ * _ + 1) - _);
			h = (Math.log(Math.sqrt(v * v + 1) - v) - y) / t, m = function(e) {
				var r = e * h, i = fs(y), c = s / (n * g) * (i * ms(t * r + y) - ps(y));
				return [
					a + c * d,
					o + c * f,
					s * i / fs(t * r + y)
				];
			};
		}
		return m.duration = Math.abs(h) * 1e3 * t / Math.SQRT2, m;
	}
	return i.rho = function(t) {
		var n = Math.max(.001, +t), r = n * n;
		return e(n, r, r * r);
	}, i;
})(Math.SQRT2, 2, 4);
function gs(e, t) {
	var n = X((e = yo(e)).l, (t = yo(t)).l), r = X(e.a, t.a), i = X(e.b, t.b), a = X(e.opacity, t.opacity);
	return function(t) {
		return e.l = n(t), e.a = r(t), e.b = i(t), e.opacity = a(t), e + "";
	};
}
function _s(e) {
	return (function t(n) {
		n = +n;
		function r(t, r) {
			var i = e((t = Lo(t)).h, (r = Lo(r)).h), a = X(t.s, r.s), o = X(t.l, r.l), s = X(t.opacity, r.opacity);
			return function(e) {
				return t.h = i(e), t.s = a(e), t.l = o(e ** +n), t.opacity = s(e), t + "";
			};
		}
		return r.gamma = t, r;
	})(1);
}
_s(Ho), _s(X);
function vs(e, t) {
	t === void 0 && (t = e, e = ts);
	for (var n = 0, r = t.length - 1, i = t[0], a = Array(r < 0 ? 0 : r); n < r;) a[n] = e(i, i = t[++n]);
	return function(e) {
		var t = Math.max(0, Math.min(r - 1, Math.floor(e *= r)));
		return a[t](e - t);
	};
}
// node_modules/d3-timer/dist/d3-timer.mjs
var ys = 0, bs = 0, xs = 0, Ss = 1e3, Cs, ws, Ts = 0, Es = 0, Ds = 0, Os = typeof performance == "object" && performance.now ? performance : Date, ks = typeof window == "object" && window.requestAnimationFrame ? window.requestAnimationFrame.bind(window) : function(e) {
	setTimeout(e, 17);
};
function As() {
	return Es ||= (ks(js), Os.now() + Ds);
}
function js() {
	Es = 0;
}
function Ms() {
	this._call = this._time = this._next = null;
}
Ms.prototype = Ns.prototype = {
	constructor: Ms,
	restart: function(e, t, n) {
		if (typeof e != "function") throw TypeError("callback is not a function");
		n = (n == null ? As() : +n) + (t == null ? 0 : +t), !this._next && ws !== this && (ws ? ws._next = this : Cs = this, ws = this), this._call = e, this._time = n, Rs();
	},
	stop: function() {
		this._call && (this._call = null, this._time = Infinity, Rs());
	}
};
function Ns(e, t, n) {
	var r = new Ms();
	return r.restart(e, t, n), r;
}
function Ps() {
	As(), ++ys;
	for (var e = Cs, t; e;) (t = Es - e._time) >= 0 && e._call.call(void 0, t), e = e._next;
	--ys;
}
function Fs() {
	Es = (Ts = Os.now()) + Ds, ys = bs = 0;
	try {
		Ps();
	} finally {
		ys = 0, Ls(), Es = 0;
	}
}
function Is() {
	var e = Os.now(), t = e - Ts;
	t > Ss && (Ds -= t, Ts = e);
}
function Ls() {
	for (var e, t = Cs, n, r = Infinity; t;) t._call ? (r > t._time && (r = t._time), e = t, t = t._next) : (n = t._next, t._next = null, t = e ? e._next = n : Cs = n);
	ws = e, Rs(r);
}
function Rs(e) {
	ys || (bs &&= clearTimeout(bs), e - Es > 24 ? (e < Infinity && (bs = setTimeout(Fs, Math.ceil(e - Os.now() - Ds) + 1)), xs &&= clearInterval(xs)) : (xs ||= (Ts = Os.now(), setInterval(Is, Ss)), ys = 1, ks(Fs)));
}
function zs(e, t, n) {
	var r = new Ms();
	return t = t == null ? 0 : +t, r.restart((n) => {
		r.stop(), e(n + t);
	}, t, n), r;
}
// node_modules/d3-ease/dist/d3-ease.mjs
function Bs(e) {
	return ((e *= 2) <= 1 ? e * e * e : (e -= 2) * e * e + 2) / 2;
}
var Vs = 3;
(function e(t) {
	t = +t;
	function n(e) {
		return e ** +t;
	}
	return n.exponent = e, n;
})(Vs), (function e(t) {
	t = +t;
	function n(e) {
		return 1 - (1 - e) ** t;
	}
	return n.exponent = e, n;
})(Vs), (function e(t) {
	t = +t;
	function n(e) {
		return ((e *= 2) <= 1 ? e ** +t : 2 - (2 - e) ** t) / 2;
	}
	return n.exponent = e, n;
})(Vs);
function Hs(e) {
	return (2 ** (-10 * e) - .0009765625) * 1.0009775171065494;
}
var Us = 4 / 11;
1 / Us / Us;
var Ws = 1.70158;
(function e(t) {
	t = +t;
	function n(e) {
		return (e = +e) * e * (t * (e - 1) + e);
	}
	return n.overshoot = e, n;
})(Ws), (function e(t) {
	t = +t;
	function n(e) {
		return --e * e * ((e + 1) * t + e) + 1;
	}
	return n.overshoot = e, n;
})(Ws), (function e(t) {
	t = +t;
	function n(e) {
		return ((e *= 2) < 1 ? e * e * ((t + 1) * e - t) : (e -= 2) * e * ((t + 1) * e + t) + 2) / 2;
	}
	return n.overshoot = e, n;
})(Ws);
var Gs = 2 * Math.PI, Ks = 1, qs = .3;
(function e(t, n) {
	var r = Math.asin(1 / (t = Math.max(1, t))) * (n /= Gs);
	function i(e) {
		return t * Hs(- --e) * Math.sin((r - e) / n);
	}
	return i.amplitude = function(t) {
		return e(t, n * Gs);
	}, i.period = function(n) {
		return e(t, n);
	}, i;
})(Ks, qs), (function e(t, n) {
	var r = Math.asin(1 / (t = Math.max(1, t))) * (n /= Gs);
	function i(e) {
		return 1 - t * Hs(e = +e) * Math.sin((e + r) / n);
	}
	return i.amplitude = function(t) {
		return e(t, n * Gs);
	}, i.period = function(n) {
		return e(t, n);
	}, i;
})(Ks, qs), (function e(t, n) {
	var r = Math.asin(1 / (t = Math.max(1, t))) * (n /= Gs);
	function i(e) {
		return ((e = e * 2 - 1) < 0 ? t * Hs(-e) * Math.sin((r - e) / n) : 2 - t * Hs(e) * Math.sin((r + e) / n)) / 2;
	}
	return i.amplitude = function(t) {
		return e(t, n * Gs);
	}, i.period = function(n) {
		return e(t, n);
	}, i;
})(Ks, qs);
// node_modules/d3-transition/dist/d3-transition.mjs
var Js = ha("start", "end", "cancel", "interrupt"), Ys = [], Xs = 0, Zs = 1, Qs = 2, $s = 3, ec = 4, tc = 5, nc = 6;
function rc(e, t, n, r, i, a) {
	var o = e.__transition;
	if (!o) e.__transition = {};
	else if (n in o) return;
	ac(e, n, {
		name: t,
		index: r,
		group: i,
		on: Js,
		tween: Ys,
		time: a.time,
		delay: a.delay,
		duration: a.duration,
		ease: a.ease,
		timer: null,
		state: Xs
	});
}
function ic(e, t) {
	var n = $(e, t);
	if (n.state > Xs) throw Error("too late; already scheduled");
	return n;
}
function Q(e, t) {
	var n = $(e, t);
	if (n.state > $s) throw Error("too late; already running");
	return n;
}
function $(e, t) {
	var n = e.__transition;
	if (!n || !(n = n[t])) throw Error("transition not found");
	return n;
}
function ac(e, t, n) {
	var r = e.__transition, i;
	r[t] = n, n.timer = Ns(a, 0, n.time);
	function a(e) {
		n.state = Zs, n.timer.restart(o, n.delay, n.time), n.delay <= e && o(e - n.delay);
	}
	function o(a) {
		var l, u, d, f;
		if (n.state !== Zs) return c();
		for (l in r) if (f = r[l], f.name === n.name) {
			if (f.state === $s) return zs(o);
			f.state === ec ? (f.state = nc, f.timer.stop(), f.on.call("interrupt", e, e.__data__, f.index, f.group), delete r[l]) : +l < t && (f.state = nc, f.timer.stop(), f.on.call("cancel", e, e.__data__, f.index, f.group), delete r[l]);
		}
		if (zs(function() {
			n.state === $s && (n.state = ec, n.timer.restart(s, n.delay, n.time), s(a));
		}), n.state = Qs, n.on.call("start", e, e.__data__, n.index, n.group), n.state === Qs) {
			for (n.state = $s, i = Array(d = n.tween.length), l = 0, u = -1; l < d; ++l) (f = n.tween[l].value.call(e, e.__data__, n.index, n.group)) && (i[++u] = f);
			i.length = u + 1;
		}
	}
	function s(t) {
		for (var r = t < n.duration ? n.ease.call(null, t / n.duration) : (n.timer.restart(c), n.state = tc, 1), a = -1, o = i.length; ++a < o;) i[a].call(e, r);
		n.state === tc && (n.on.call("end", e, e.__data__, n.index, n.group), c());
	}
	function c() {
		for (var i in n.state = nc, n.timer.stop(), delete r[t], r) return;
		delete e.__transition;
	}
}
function oc(e, t) {
	var n = e.__transition, r, i, a = !0, o;
	if (n) {
		for (o in t = t == null ? null : t + "", n) (r = n[o]).name === t ? (i = r.state > Qs && r.state < tc, r.state = nc, r.timer.stop(), r.on.call(i ? "interrupt" : "cancel", e, e.__data__, r.index, r.group), delete n[o]) : a = !1;
		a && delete e.__transition;
	}
}
function sc(e) {
	return this.each(function() {
		oc(this, e);
	});
}
function cc(e, t) {
	var n, r;
	return function() {
		var i = Q(this, e), a = i.tween;
		if (a !== n) {
			r = n = a;
			for (var o = 0, s = r.length; o < s; ++o) if (r[o].name === t) {
				r = r.slice(), r.splice(o, 1);
				break;
			}
		}
		i.tween = r;
	};
}
function lc(e, t, n) {
	var r, i;
	if (typeof n != "function") throw Error();
	return function() {
		var a = Q(this, e), o = a.tween;
		if (o !== r) {
			i = (r = o).slice();
			for (var s = {
				name: t,
				value: n
			}, c = 0, l = i.length; c < l; ++c) if (i[c].name === t) {
				i[c] = s;
				break;
			}
			c === l && i.push(s);
		}
		a.tween = i;
	};
}
function uc(e, t) {
	var n = this._id;
	if (e += "", arguments.length < 2) {
		for (var r = $(this.node(), n).tween, i = 0, a = r.length, o; i < a; ++i) if ((o = r[i]).name === e) return o.value;
		return null;
	}
	return this.each((t == null ? cc : lc)(n, e, t));
}
function dc(e, t, n) {
	var r = e._id;
	return e.each(function() {
		var e = Q(this, r);
		(e.value ||= {})[t] = n.apply(this, arguments);
	}), function(e) {
		return $(e, r).value[t];
	};
}
function fc(e, t) {
	var n;
	return (typeof t == "number" ? Z : t instanceof Wa ? Wo : (n = Wa(t)) ? (t = n, Wo) : es)(e, t);
}
function pc(e) {
	return function() {
		this.removeAttribute(e);
	};
}
function mc(e) {
	return function() {
		this.removeAttributeNS(e.space, e.local);
	};
}
function hc(e, t, n) {
	var r, i = n + "", a;
	return function() {
		var o = this.getAttribute(e);
		return o === i ? null : o === r ? a : a = t(r = o, n);
	};
}
function gc(e, t, n) {
	var r, i = n + "", a;
	return function() {
		var o = this.getAttributeNS(e.space, e.local);
		return o === i ? null : o === r ? a : a = t(r = o, n);
	};
}
function _c(e, t, n) {
	var r, i, a;
	return function() {
		var o, s = n(this), c;
		return s == null ? void this.removeAttribute(e) : (o = this.getAttribute(e), c = s + "", o === c ? null : o === r && c === i ? a : (i = c, a = t(r = o, s)));
	};
}
function vc(e, t, n) {
	var r, i, a;
	return function() {
		var o, s = n(this), c;
		return s == null ? void this.removeAttributeNS(e.space, e.local) : (o = this.getAttributeNS(e.space, e.local), c = s + "", o === c ? null : o === r && c === i ? a : (i = c, a = t(r = o, s)));
	};
}
function yc(e, t) {
	var n = fr(e), r = n === "transform" ? us : fc;
	return this.attrTween(e, typeof t == "function" ? (n.local ? vc : _c)(n, r, dc(this, "attr." + e, t)) : t == null ? (n.local ? mc : pc)(n) : (n.local ? gc : hc)(n, r, t));
}
function bc(e, t) {
	return function(n) {
		this.setAttribute(e, t.call(this, n));
	};
}
function xc(e, t) {
	return function(n) {
		this.setAttributeNS(e.space, e.local, t.call(this, n));
	};
}
function Sc(e, t) {
	var n, r;
	function i() {
		var i = t.apply(this, arguments);
		return i !== r && (n = (r = i) && xc(e, i)), n;
	}
	return i._value = t, i;
}
function Cc(e, t) {
	var n, r;
	function i() {
		var i = t.apply(this, arguments);
		return i !== r && (n = (r = i) && bc(e, i)), n;
	}
	return i._value = t, i;
}
function wc(e, t) {
	var n = "attr." + e;
	if (arguments.length < 2) return (n = this.tween(n)) && n._value;
	if (t == null) return this.tween(n, null);
	if (typeof t != "function") throw Error();
	var r = fr(e);
	return this.tween(n, (r.local ? Sc : Cc)(r, t));
}
function Tc(e, t) {
	return function() {
		ic(this, e).delay = +t.apply(this, arguments);
	};
}
function Ec(e, t) {
	return t = +t, function() {
		ic(this, e).delay = t;
	};
}
function Dc(e) {
	var t = this._id;
	return arguments.length ? this.each((typeof e == "function" ? Tc : Ec)(t, e)) : $(this.node(), t).delay;
}
function Oc(e, t) {
	return function() {
		Q(this, e).duration = +t.apply(this, arguments);
	};
}
function kc(e, t) {
	return t = +t, function() {
		Q(this, e).duration = t;
	};
}
function Ac(e) {
	var t = this._id;
	return arguments.length ? this.each((typeof e == "function" ? Oc : kc)(t, e)) : $(this.node(), t).duration;
}
function jc(e, t) {
	if (typeof t != "function") throw Error();
	return function() {
		Q(this, e).ease = t;
	};
}
function Mc(e) {
	var t = this._id;
	return arguments.length ? this.each(jc(t, e)) : $(this.node(), t).ease;
}
function Nc(e, t) {
	return function() {
		var n = t.apply(this, arguments);
		if (typeof n != "function") throw Error();
		Q(this, e).ease = n;
	};
}
function Pc(e) {
	if (typeof e != "function") throw Error();
	return this.each(Nc(this._id, e));
}
function Fc(e) {
	typeof e != "function" && (e = wr(e));
	for (var t = this._groups, n = t.length, r = Array(n), i = 0; i < n; ++i) for (var a = t[i], o = a.length, s = r[i] = [], c, l = 0; l < o; ++l) (c = a[l]) && e.call(c, c.__data__, l, a) && s.push(c);
	return new ul(r, this._parents, this._name, this._id);
}
function Ic(e) {
	if (e._id !== this._id) throw Error();
	for (var t = this._groups, n = e._groups, r = t.length, i = n.length, a = Math.min(r, i), o = Array(r), s = 0; s < a; ++s) for (var c = t[s], l = n[s], u = c.length, d = o[s] = Array(u), f, p = 0; p < u; ++p) (f = c[p] || l[p]) && (d[p] = f);
	for (; s < r; ++s) o[s] = t[s];
	return new ul(o, this._parents, this._name, this._id);
}
function Lc(e) {
	return (e + "").trim().split(/^|\s+/).every(function(e) {
		var t = e.indexOf(".");
		return t >= 0 && (e = e.slice(0, t)), !e || e === "start";
	});
}
function Rc(e, t, n) {
	var r, i, a = Lc(t) ? ic : Q;
	return function() {
		var o = a(this, e), s = o.on;
		s !== r && (i = (r = s).copy()).on(t, n), o.on = i;
	};
}
function zc(e, t) {
	var n = this._id;
	return arguments.length < 2 ? $(this.node(), n).on.on(e) : this.each(Rc(n, e, t));
}
function Bc(e) {
	return function() {
		var t = this.parentNode;
		for (var n in this.__transition) if (+n !== e) return;
		t && t.removeChild(this);
	};
}
function Vc() {
	return this.on("end.remove", Bc(this._id));
}
function Hc(e) {
	var t = this._name, n = this._id;
	typeof e != "function" && (e = _r(e));
	for (var r = this._groups, i = r.length, a = Array(i), o = 0; o < i; ++o) for (var s = r[o], c = s.length, l = a[o] = Array(c), u, d, f = 0; f < c; ++f) (u = s[f]) && (d = e.call(u, u.__data__, f, s)) && ("__data__" in u && (d.__data__ = u.__data__), l[f] = d, rc(l[f], t, n, f, l, $(u, n)));
	return new ul(a, this._parents, t, n);
}
function Uc(e) {
	var t = this._name, n = this._id;
	typeof e != "function" && (e = xr(e));
	for (var r = this._groups, i = r.length, a = [], o = [], s = 0; s < i; ++s) for (var c = r[s], l = c.length, u, d = 0; d < l; ++d) if (u = c[d]) {
		for (var f = e.call(u, u.__data__, d, c), p, m = $(u, n), h = 0, g = f.length; h < g; ++h) (p = f[h]) && rc(p, t, n, h, f, m);
		a.push(f), o.push(u);
	}
	return new ul(a, o, t, n);
}
var Wc = oa.prototype.constructor;
function Gc() {
	return new Wc(this._groups, this._parents);
}
function Kc(e, t) {
	var n, r, i;
	return function() {
		var a = mi(this, e), o = (this.style.removeProperty(e), mi(this, e));
		return a === o ? null : a === n && o === r ? i : i = t(n = a, r = o);
	};
}
function qc(e) {
	return function() {
		this.style.removeProperty(e);
	};
}
function Jc(e, t, n) {
	var r, i = n + "", a;
	return function() {
		var o = mi(this, e);
		return o === i ? null : o === r ? a : a = t(r = o, n);
	};
}
function Yc(e, t, n) {
	var r, i, a;
	return function() {
		var o = mi(this, e), s = n(this), c = s + "";
		return s ?? (c = s = (this.style.removeProperty(e), mi(this, e))), o === c ? null : o === r && c === i ? a : (i = c, a = t(r = o, s));
	};
}
function Xc(e, t) {
	var n, r, i, a = "style." + t, o = "end." + a, s;
	return function() {
		var c = Q(this, e), l = c.on, u = c.value[a] == null ? s ||= qc(t) : void 0;
		(l !== n || i !== u) && (r = (n = l).copy()).on(o, i = u), c.on = r;
	};
}
function Zc(e, t, n) {
	var r = (e += "") == "transform" ? ls : fc;
	return t == null ? this.styleTween(e, Kc(e, r)).on("end.style." + e, qc(e)) : typeof t == "function" ? this.styleTween(e, Yc(e, r, dc(this, "style." + e, t))).each(Xc(this._id, e)) : this.styleTween(e, Jc(e, r, t), n).on("end.style." + e, null);
}
function Qc(e, t, n) {
	return function(r) {
		this.style.setProperty(e, t.call(this, r), n);
	};
}
function $c(e, t, n) {
	var r, i;
	function a() {
		var a = t.apply(this, arguments);
		return a !== i && (r = (i = a) && Qc(e, a, n)), r;
	}
	return a._value = t, a;
}
function el(e, t, n) {
	var r = "style." + (e += "");
	if (arguments.length < 2) return (r = this.tween(r)) && r._value;
	if (t == null) return this.tween(r, null);
	if (typeof t != "function") throw Error();
	return this.tween(r, $c(e, t, n ?? ""));
}
function tl(e) {
	return function() {
		this.textContent = e;
	};
}
function nl(e) {
	return function() {
		var t = e(this);
		this.textContent = t ?? "";
	};
}
function rl(e) {
	return this.tween("text", typeof e == "function" ? nl(dc(this, "text", e)) : tl(e == null ? "" : e + ""));
}
function il(e) {
	return function(t) {
		this.textContent = e.call(this, t);
	};
}
function al(e) {
	var t, n;
	function r() {
		var r = e.apply(this, arguments);
		return r !== n && (t = (n = r) && il(r)), t;
	}
	return r._value = e, r;
}
function ol(e) {
	var t = "text";
	if (arguments.length < 1) return (t = this.tween(t)) && t._value;
	if (e == null) return this.tween(t, null);
	if (typeof e != "function") throw Error();
	return this.tween(t, al(e));
}
function sl() {
	for (var e = this._name, t = this._id, n = dl(), r = this._groups, i = r.length, a = 0; a < i; ++a) for (var o = r[a], s = o.length, c, l = 0; l < s; ++l) if (c = o[l]) {
		var u = $(c, t);
		rc(c, e, n, l, o, {
			time: u.time + u.delay + u.duration,
			delay: 0,
			duration: u.duration,
			ease: u.ease
		});
	}
	return new ul(r, this._parents, e, n);
}
function cl() {
	var e, t, n = this, r = n._id, i = n.size();
	return new Promise(function(a, o) {
		var s = { value: o }, c = { value: function() {
			--i === 0 && a();
		} };
		n.each(function() {
			var n = Q(this, r), i = n.on;
			i !== e && (t = (e = i).copy(), t._.cancel.push(s), t._.interrupt.push(s), t._.end.push(c)), n.on = t;
		}), i === 0 && a();
	});
}
var ll = 0;
function ul(e, t, n, r) {
	this._groups = e, this._parents = t, this._name = n, this._id = r;
}
function dl() {
	return ++ll;
}
var fl = oa.prototype;
ul.prototype = {
	constructor: ul,
	select: Hc,
	selectAll: Uc,
	selectChild: fl.selectChild,
	selectChildren: fl.selectChildren,
	filter: Fc,
	merge: Ic,
	selection: Gc,
	transition: sl,
	call: fl.call,
	nodes: fl.nodes,
	node: fl.node,
	size: fl.size,
	empty: fl.empty,
	each: fl.each,
	on: zc,
	attr: yc,
	attrTween: wc,
	style: Zc,
	styleTween: el,
	text: rl,
	textTween: ol,
	remove: Vc,
	tween: uc,
	delay: Dc,
	duration: Ac,
	ease: Mc,
	easeVarying: Pc,
	end: cl,
	[Symbol.iterator]: fl[Symbol.iterator]
};
var pl = {
	time: null,
	delay: 0,
	duration: 250,
	ease: Bs
};
function ml(e, t) {
	for (var n; !(n = e.__transition) || !(n = n[t]);) if (!(e = e.parentNode)) throw Error(`transition ${t} not found`);
	return n;
}
function hl(e) {
	var t, n;
	e instanceof ul ? (t = e._id, e = e._name) : (t = dl(), (n = pl).time = As(), e = e == null ? null : e + "");
	for (var r = this._groups, i = r.length, a = 0; a < i; ++a) for (var o = r[a], s = o.length, c, l = 0; l < s; ++l) (c = o[l]) && rc(c, e, t, l, o, n || ml(c, t));
	return new ul(r, this._parents, e, t);
}
oa.prototype.interrupt = sc, oa.prototype.transition = hl;
// node_modules/d3-zoom/dist/d3-zoom.mjs
var gl = (e) => () => e;
function _l(e, { sourceEvent: t, target: n, transform: r, dispatch: i }) {
	Object.defineProperties(this, {
		type: {
			value: e,
			enumerable: !0,
			configurable: !0
		},
		sourceEvent: {
			value: t,
			enumerable: !0,
			configurable: !0
		},
		target: {
			value: n,
			enumerable: !0,
			configurable: !0
		},
		transform: {
			value: r,
			enumerable: !0,
			configurable: !0
		},
		_: { value: i }
	});
}
function vl(e, t, n) {
	this.k = e, this.x = t, this.y = n;
}
vl.prototype = {
	constructor: vl,
	scale: function(e) {
		return e === 1 ? this : new vl(this.k * e, this.x, this.y);
	},
	translate: function(e, t) {
		return e === 0 & t === 0 ? this : new vl(this.k, this.x + this.k * e, this.y + this.k * t);
	},
	apply: function(e) {
		return [e[0] * this.k + this.x, e[1] * this.k + this.y];
	},
	applyX: function(e) {
		return e * this.k + this.x;
	},
	applyY: function(e) {
		return e * this.k + this.y;
	},
	invert: function(e) {
		return [(e[0] - this.x) / this.k, (e[1] - this.y) / this.k];
	},
	invertX: function(e) {
		return (e - this.x) / this.k;
	},
	invertY: function(e) {
		return (e - this.y) / this.k;
	},
	rescaleX: function(e) {
		return e.copy().domain(e.range().map(this.invertX, this).map(e.invert, e));
	},
	rescaleY: function(e) {
		return e.copy().domain(e.range().map(this.invertY, this).map(e.invert, e));
	},
	toString: function() {
		return "translate(" + this.x + "," + this.y + ") scale(" + this.k + ")";
	}
};
var yl = new vl(1, 0, 0);
bl.prototype = vl.prototype;
function bl(e) {
	for (; !e.__zoom;) if (!(e = e.parentNode)) return yl;
	return e.__zoom;
}
function xl(e) {
	e.stopImmediatePropagation();
}
function Sl(e) {
	e.preventDefault(), e.stopImmediatePropagation();
}
function Cl(e) {
	return (!e.ctrlKey || e.type === "wheel") && !e.button;
}
function wl() {
	var e = this;
	return e instanceof SVGElement ? (e = e.ownerSVGElement || e, e.hasAttribute("viewBox") ? (e = e.viewBox.baseVal, [[e.x, e.y], [e.x + e.width, e.y + e.height]]) : [[0, 0], [e.width.baseVal.value, e.height.baseVal.value]]) : [[0, 0], [e.clientWidth, e.clientHeight]];
}
function Tl() {
	return this.__zoom || yl;
}
function El(e) {
	return -e.deltaY * (e.deltaMode === 1 ? .05 : e.deltaMode ? 1 : .002) * (e.ctrlKey ? 10 : 1);
}
function Dl() {
	return navigator.maxTouchPoints || "ontouchstart" in this;
}
function Ol(e, t, n) {
	var r = e.invertX(t[0][0]) - n[0][0], i = e.invertX(t[1][0]) - n[1][0], a = e.invertY(t[0][1]) - n[0][1], o = e.invertY(t[1][1]) - n[1][1];
	return e.translate(i > r ? (r + i) / 2 : Math.min(0, r) || Math.max(0, i), o > a ? (a + o) / 2 : Math.min(0, a) || Math.max(0, o));
}
function kl() {
	var e = Cl, t = wl, n = Ol, r = El, i = Dl, a = [0, Infinity], o = [[-Infinity, -Infinity], [Infinity, Infinity]], s = 250, c = hs, l = ha("start", "zoom", "end"), u, d, f, p = 500, m = 150, h = 0, g = 10;
	function _(e) {
		e.property("__zoom", Tl).on("wheel.zoom", w, { passive: !1 }).on("mousedown.zoom", T).on("dblclick.zoom", E).filter(i).on("touchstart.zoom", D).on("touchmove.zoom", O).on("touchend.zoom touchcancel.zoom", ee).style("-webkit-tap-highlight-color", "rgba(0,0,0,0)");
	}
	_.transform = function(e, t, n, r) {
		var i = e.selection ? e.selection() : e;
		i.property("__zoom", Tl), e === i ? i.interrupt().each(function() {
			S(this, arguments).event(r).start().zoom(null, typeof t == "function" ? t.apply(this, arguments) : t).end();
		}) : x(e, t, n, r);
	}, _.scaleBy = function(e, t, n, r) {
		_.scaleTo(e, function() {
			return this.__zoom.k * (typeof t == "function" ? t.apply(this, arguments) : t);
		}, n, r);
	}, _.scaleTo = function(e, r, i, a) {
		_.transform(e, function() {
			var e = t.apply(this, arguments), a = this.__zoom, s = i == null ? b(e) : typeof i == "function" ? i.apply(this, arguments) : i, c = a.invert(s), l = typeof r == "function" ? r.apply(this, arguments) : r;
			return n(y(v(a, l), s, c), e, o);
		}, i, a);
	}, _.translateBy = function(e, r, i, a) {
		_.transform(e, function() {
			return n(this.__zoom.translate(typeof r == "function" ? r.apply(this, arguments) : r, typeof i == "function" ? i.apply(this, arguments) : i), t.apply(this, arguments), o);
		}, null, a);
	}, _.translateTo = function(e, r, i, a, s) {
		_.transform(e, function() {
			var e = t.apply(this, arguments), s = this.__zoom, c = a == null ? b(e) : typeof a == "function" ? a.apply(this, arguments) : a;
			return n(yl.translate(c[0], c[1]).scale(s.k).translate(typeof r == "function" ? -r.apply(this, arguments) : -r, typeof i == "function" ? -i.apply(this, arguments) : -i), e, o);
		}, a, s);
	};
	function v(e, t) {
		return t = Math.max(a[0], Math.min(a[1], t)), t === e.k ? e : new vl(t, e.x, e.y);
	}
	function y(e, t, n) {
		var r = t[0] - n[0] * e.k, i = t[1] - n[1] * e.k;
		return r === e.x && i === e.y ? e : new vl(e.k, r, i);
	}
	function b(e) {
		return [(+e[0][0] + +e[1][0]) / 2, (+e[0][1] + +e[1][1]) / 2];
	}
	function x(e, n, r, i) {
		e.on("start.zoom", function() {
			S(this, arguments).event(i).start();
		}).on("interrupt.zoom end.zoom", function() {
			S(this, arguments).event(i).end();
		}).tween("zoom", function() {
			var e = this, a = arguments, o = S(e, a).event(i), s = t.apply(e, a), l = r == null ? b(s) : typeof r == "function" ? r.apply(e, a) : r, u = Math.max(s[1][0] - s[0][0], s[1][1] - s[0][1]), d = e.__zoom, f = typeof n == "function" ? n.apply(e, a) : n, p = c(d.invert(l).concat(u / d.k), f.invert(l).concat(u / f.k));
			return function(e) {
				if (e === 1) e = f;
				else {
					var t = p(e), n = u / t[2];
					e = new vl(n, l[0] - t[0] * n, l[1] - t[1] * n);
				}
				o.zoom(null, e);
			};
		});
	}
	function S(e, t, n) {
		return !n && e.__zooming || new C(e, t);
	}
	function C(e, n) {
		this.that = e, this.args = n, this.active = 0, this.sourceEvent = null, this.extent = t.apply(e, n), this.taps = 0;
	}
	C.prototype = {
		event: function(e) {
			return e && (this.sourceEvent = e), this;
		},
		start: function() {
			return ++this.active === 1 && (this.that.__zooming = this, this.emit("start")), this;
		},
		zoom: function(e, t) {
			return this.mouse && e !== "mouse" && (this.mouse[1] = t.invert(this.mouse[0])), this.touch0 && e !== "touch" && (this.touch0[1] = t.invert(this.touch0[0])), this.touch1 && e !== "touch" && (this.touch1[1] = t.invert(this.touch1[0])), this.that.__zoom = t, this.emit("zoom"), this;
		},
		end: function() {
			return --this.active === 0 && (delete this.that.__zooming, this.emit("end")), this;
		},
		emit: function(e) {
			var t = ca(this.that).datum();
			l.call(e, this.that, new _l(e, {
				sourceEvent: this.sourceEvent,
				target: _,
				transform: this.that.__zoom,
				dispatch: l
			}), t);
		}
	};
	function w(t, ...i) {
		if (!e.apply(this, arguments)) return;
		var s = S(this, i).event(t), c = this.__zoom, l = Math.max(a[0], Math.min(a[1], c.k * 2 ** r.apply(this, arguments))), u = pa(t);
		if (s.wheel) (s.mouse[0][0] !== u[0] || s.mouse[0][1] !== u[1]) && (s.mouse[1] = c.invert(s.mouse[0] = u)), clearTimeout(s.wheel);
		else if (c.k === l) return;
		else s.mouse = [u, c.invert(u)], oc(this), s.start();
		Sl(t), s.wheel = setTimeout(d, m), s.zoom("mouse", n(y(v(c, l), s.mouse[0], s.mouse[1]), s.extent, o));
		function d() {
			s.wheel = null, s.end();
		}
	}
	function T(t, ...r) {
		if (f || !e.apply(this, arguments)) return;
		var i = t.currentTarget, a = S(this, r, !0).event(t), s = ca(t.view).on("mousemove.zoom", d, !0).on("mouseup.zoom", p, !0), c = pa(t, i), l = t.clientX, u = t.clientY;
		Sa(t.view), xl(t), a.mouse = [c, this.__zoom.invert(c)], oc(this), a.start();
		function d(e) {
			if (Sl(e), !a.moved) {
				var t = e.clientX - l, r = e.clientY - u;
				a.moved = t * t + r * r > h;
			}
			a.event(e).zoom("mouse", n(y(a.that.__zoom, a.mouse[0] = pa(e, i), a.mouse[1]), a.extent, o));
		}
		function p(e) {
			s.on("mousemove.zoom mouseup.zoom", null), Ca(e.view, a.moved), Sl(e), a.event(e).end();
		}
	}
	function E(r, ...i) {
		if (e.apply(this, arguments)) {
			var a = this.__zoom, c = pa(r.changedTouches ? r.changedTouches[0] : r, this), l = a.invert(c), u = a.k * (r.shiftKey ? .5 : 2), d = n(y(v(a, u), c, l), t.apply(this, i), o);
			Sl(r), s > 0 ? ca(this).transition().duration(s).call(x, d, c, r) : ca(this).call(_.transform, d, c, r);
		}
	}
	function D(t, ...n) {
		if (e.apply(this, arguments)) {
			var r = t.touches, i = r.length, a = S(this, n, t.changedTouches.length === i).event(t), o, s, c, l;
			for (xl(t), s = 0; s < i; ++s) c = r[s], l = pa(c, this), l = [
				l,
				this.__zoom.invert(l),
				c.identifier
			], a.touch0 ? !a.touch1 && a.touch0[2] !== l[2] && (a.touch1 = l, a.taps = 0) : (a.touch0 = l, o = !0, a.taps = 1 + !!u);
			u &&= clearTimeout(u), o && (a.taps < 2 && (d = l[0], u = setTimeout(function() {
				u = null;
			}, p)), oc(this), a.start());
		}
	}
	function O(e, ...t) {
		if (this.__zooming) {
			var r = S(this, t).event(e), i = e.changedTouches, a = i.length, s, c, l, u;
			for (Sl(e), s = 0; s < a; ++s) c = i[s], l = pa(c, this), r.touch0 && r.touch0[2] === c.identifier ? r.touch0[0] = l : r.touch1 && r.touch1[2] === c.identifier && (r.touch1[0] = l);
			if (c = r.that.__zoom, r.touch1) {
				var d = r.touch0[0], f = r.touch0[1], p = r.touch1[0], m = r.touch1[1], h = (h = p[0] - d[0]) * h + (h = p[1] - d[1]) * h, g = (g = m[0] - f[0]) * g + (g = m[1] - f[1]) * g;
				c = v(c, Math.sqrt(h / g)), l = [(d[0] + p[0]) / 2, (d[1] + p[1]) / 2], u = [(f[0] + m[0]) / 2, (f[1] + m[1]) / 2];
			} else if (r.touch0) l = r.touch0[0], u = r.touch0[1];
			else return;
			r.zoom("touch", n(y(c, l, u), r.extent, o));
		}
	}
	function ee(e, ...t) {
		if (this.__zooming) {
			var n = S(this, t).event(e), r = e.changedTouches, i = r.length, a, o;
			for (xl(e), f && clearTimeout(f), f = setTimeout(function() {
				f = null;
			}, p), a = 0; a < i; ++a) o = r[a], n.touch0 && n.touch0[2] === o.identifier ? delete n.touch0 : n.touch1 && n.touch1[2] === o.identifier && delete n.touch1;
			if (n.touch1 && !n.touch0 && (n.touch0 = n.touch1, delete n.touch1), n.touch0) n.touch0[1] = this.__zoom.invert(n.touch0[0]);
			else if (n.end(), n.taps === 2 && (o = pa(o, this), Math.hypot(d[0] - o[0], d[1] - o[1]) < g)) {
				var s = ca(this).on("dblclick.zoom");
				s && s.apply(this, arguments);
			}
		}
	}
	return _.wheelDelta = function(e) {
		return arguments.length ? (r = typeof e == "function" ? e : gl(+e), _) : r;
	}, _.filter = function(t) {
		return arguments.length ? (e = typeof t == "function" ? t : gl(!!t), _) : e;
	}, _.touchable = function(e) {
		return arguments.length ? (i = typeof e == "function" ? e : gl(!!e), _) : i;
	}, _.extent = function(e) {
		return arguments.length ? (t = typeof e == "function" ? e : gl([[+e[0][0], +e[0][1]], [+e[1][0], +e[1][1]]]), _) : t;
	}, _.scaleExtent = function(e) {
		return arguments.length ? (a[0] = +e[0], a[1] = +e[1], _) : [a[0], a[1]];
	}, _.translateExtent = function(e) {
		return arguments.length ? (o[0][0] = +e[0][0], o[1][0] = +e[1][0], o[0][1] = +e[0][1], o[1][1] = +e[1][1], _) : [[o[0][0], o[0][1]], [o[1][0], o[1][1]]];
	}, _.constrain = function(e) {
		return arguments.length ? (n = e, _) : n;
	}, _.duration = function(e) {
		return arguments.length ? (s = +e, _) : s;
	}, _.interpolate = function(e) {
		return arguments.length ? (c = e, _) : c;
	}, _.on = function() {
		var e = l.on.apply(l, arguments);
		return e === l ? _ : e;
	}, _.clickDistance = function(e) {
		return arguments.length ? (h = (e = +e) * e, _) : Math.sqrt(h);
	}, _.tapDistance = function(e) {
		return arguments.length ? (g = +e, _) : g;
	}, _;
}
// src/marks/color.ts
var Al = {
	light: [
		"#ffffff",
		"#c3d9ee",
		"#6ea3d0",
		"#2b62a8",
		"#0a2350"
	],
	dark: [
		"#111418",
		"#173a63",
		"#4a6fae",
		"#a9a3a8",
		"#fde67a"
	]
}, jl = 256, Ml = 4;
function Nl(e, t, n) {
	let r = vs(gs, Al[n]), i = new Uint8ClampedArray(jl * 4), a = [];
	for (let e = 0; e < jl; e++) {
		let t = r(e / 255);
		a.push(t);
		let [n, o, s] = t.match(/[\d.]+/g).map(Number);
		i.set([
			n,
			o,
			s,
			255
		], e * 4);
	}
	let o = e > 0 ? e : 1, s = (e) => {
		if (!(e > 0)) return 0;
		let n = Math.min(1, e / o);
		return t ? Math.max(0, 1 + Math.log10(n) / Ml) : n;
	};
	return {
		most: o,
		isLog: t,
		table: i,
		place: s,
		css: (e) => a[Math.round(s(e) * 255)]
	};
}
function Pl(e, t) {
	let n = Math.round(e.place(t) * 255) * 4, r = (e) => e <= 10 ? e / 3294 : ((e / 255 + .055) / 1.055) ** 2.4, [i, a, o] = [
		0,
		1,
		2
	].map((t) => r(e.table[n + t]));
	return .2126 * i + .7152 * a + .0722 * o > .18 ? "#000000" : "#ffffff";
}
function Fl(e, t, n, r) {
	let i = new ImageData(n, t), a = new Uint32Array(i.data.buffer), o = new Uint32Array(r.table.buffer);
	if (r.isLog) for (let t = 0; t < e.length; t++) a[t] = o[Math.round(r.place(e[t]) * 255)];
	else {
		let t = 255 / r.most;
		for (let n = 0; n < e.length; n++) a[n] = o[Math.min(255, Math.max(0, e[n] * t + .5)) | 0];
	}
	return i;
}
// src/tiles/visible.ts
function Il(e, t, n, r) {
	let i = Math.max(0, Math.ceil(Math.log2(Math.max(n, r) / 256)));
	return Math.min(i, Math.max(0, Math.floor(Math.log2(1 / (e * t)))));
}
function Ll(e, t, n, r) {
	let i = 256 * 2 ** t, a = (t, n, r) => [Math.max(0, Math.floor(-t / e.scale / i)), Math.min(Math.ceil(r / i), Math.ceil((n - t) / e.scale / i))], [o, s] = a(e.top, e.height, n), [c, l] = a(e.left, e.width, r), u = [];
	for (let e = o; e < s; e++) for (let n = c; n < l; n++) u.push({
		level: t,
		y: e,
		x: n
	});
	let d = [(o + s - 1) / 2, (c + l - 1) / 2], f = ({ y: e, x: t }) => Math.hypot(e - d[0], t - d[1]);
	return u.sort((e, t) => f(e) - f(t));
}
var Rl = ({ level: e, y: t, x: n }) => `${e}/${t}/${n}`, zl = ({ level: e, y: t, x: n }) => ({
	level: e + 1,
	y: t >> 1,
	x: n >> 1
}), Bl = 5e3, Vl = class {
	load;
	changed;
	failed;
	most;
	known = /* @__PURE__ */ new Map();
	asked = /* @__PURE__ */ new Map();
	failures = /* @__PURE__ */ new Map();
	wanted = /* @__PURE__ */ new Set();
	bytes = 0;
	constructor(e, t, n, r = 128 * 2 ** 20) {
		this.load = e, this.changed = t, this.failed = n, this.most = r;
	}
	get(e) {
		let t = Rl(e), n = this.known.get(t);
		return n && (this.known.delete(t), this.known.set(t, n)), n;
	}
	want(e) {
		this.wanted = new Set(e.map(Rl));
		for (let [e, t] of this.asked) this.wanted.has(e) || (t.abort(), this.asked.delete(e));
		for (let t of e) {
			let e = Rl(t);
			if (this.asked.has(e) || performance.now() < (this.failures.get(e) ?? 0)) continue;
			let n = this.known.get(e);
			n?.preview && this.ask(e, n.preview.exact), n || this.ask(e, (e) => this.load(t, e));
		}
	}
	ask(e, t) {
		let n = new AbortController(), r = () => {
			this.asked.get(e) === n && this.asked.delete(e);
		};
		this.asked.set(e, n), t(n.signal).then((t) => {
			r(), this.put(e, t), t.preview && this.ask(e, t.preview.exact), this.changed();
		}, (t) => {
			r(), t.name !== "AbortError" && (this.failures.set(e, performance.now() + Bl), this.failed(t), this.changed());
		});
	}
	put(e, t) {
		let n = this.known.get(e);
		n && (this.bytes -= Hl(n)), this.known.delete(e), this.known.set(e, t), this.bytes += Hl(t);
		for (let [e, t] of this.known) {
			if (this.bytes <= this.most) break;
			this.wanted.has(e) || (this.known.delete(e), this.bytes -= Hl(t));
		}
	}
	get isWaiting() {
		return this.asked.size > 0;
	}
	close() {
		this.want([]), this.known.clear(), this.bytes = 0;
	}
};
function Hl(e) {
	return e.mean.byteLength + (e.max === e.mean ? 0 : e.max.byteLength);
}
// src/views/legend.tsx
function Ul(e, t) {
	return [e.isLog ? `≤ ${H(e.most * 1e-4)}` : H(0), `${t ? "≥ " : ""}${H(e.most)}`];
}
function Wl({ scale: e, isLong: t = !1 }) {
	let n = [
		0,
		.25,
		.5,
		.75,
		1
	].map((t) => `rgb(${[
		0,
		1,
		2
	].map((n) => e.table[Math.round(t * 255) * 4 + n]).join(" ")})`), [r, i] = Ul(e, t);
	return /* @__PURE__ */ W("span", {
		class: "legend",
		children: [
			r,
			/* @__PURE__ */ W("span", {
				class: "ramp",
				role: "img",
				"aria-label": `Colours from ${r} to ${i}${e.isLog ? ", logarithmic" : ""}`,
				style: { background: `linear-gradient(to right, ${n.join(", ")})` }
			}),
			i
		]
	});
}
function Gl({ model: e, pooled: t, isLong: n }) {
	let { pool: r } = e.store.state.value, i = e.source.progress?.value, a = [e.isPreview.value && "sampled preview", t > 1 && `${r === "max" ? "maximum" : "mean"} of ${t} × ${t}`].filter(Boolean);
	return /* @__PURE__ */ W("span", {
		class: "legend",
		children: [
			/* @__PURE__ */ W(Wl, {
				scale: e.scale(),
				isLong: n
			}),
			/* @__PURE__ */ W("small", { children: a.join(" · ") }),
			i && /* @__PURE__ */ W("progress", {
				"aria-label": "The exact overview is being computed",
				max: i.of,
				value: i.done,
				title: `${i.done} of ${i.of} bands of rows`
			})
		]
	});
}
// src/views/matrix.tsx
var Kl = 64, ql = 1e6, Jl = 52, Yl = class {
	canvas;
	model;
	rows;
	columns;
	pooled;
	cache;
	images = /* @__PURE__ */ new WeakMap();
	mosts = /* @__PURE__ */ new WeakMap();
	transform = yl;
	labels = 0;
	frame = 0;
	constructor(e, t, n, r, i) {
		this.canvas = e, this.model = t, this.rows = n, this.columns = r, this.pooled = i;
		let a = bt(() => t.store.lens.value);
		this.cache = new Vl((e, n) => t.source.tile(a, e.level, e.y, e.x, n), () => this.draw(), (e) => {
			t.error.value = e.message;
		});
	}
	measure() {
		this.labels = this.room();
	}
	room() {
		let e = this.canvas.getContext("2d");
		e.font = `14px ${getComputedStyle(this.canvas).fontFamily}`;
		let t = 0;
		for (let n of [this.model.queryWords.peek(), this.model.keyWords.peek()]) {
			let r = n.reduce((e, t) => Math.max(e, t.length), 0), i = n.filter((e) => e.length >= r - 1).slice(0, 50);
			for (let n of i) t = Math.max(t, e.measureText(n.slice(0, 40)).width);
		}
		return Math.ceil(Math.min(Math.max(t + 12, Jl), 120, this.canvas.clientWidth / 4));
	}
	get fit() {
		let { clientWidth: e, clientHeight: t } = this.canvas;
		return Math.min(Kl, (e - this.labels) / this.columns, (t - this.labels) / this.rows);
	}
	get port() {
		let { k: e, x: t, y: n } = this.transform, { clientWidth: r, clientHeight: i } = this.canvas;
		return {
			scale: this.fit * e,
			left: t,
			top: n,
			width: r - this.labels,
			height: i - this.labels
		};
	}
	cellAt(e, t) {
		let { scale: n, left: r, top: i } = this.port, a = (e, t, r) => {
			let i = Math.floor((e - this.labels - t) / n);
			return e < this.labels ? null : i >= 0 && i < r ? i : void 0;
		}, [o, s] = [a(e, r, this.columns), a(t, i, this.rows)];
		return s === void 0 || o === void 0 || s === null && o === null ? null : {
			query: s,
			key: o
		};
	}
	draw() {
		cancelAnimationFrame(this.frame), this.frame = requestAnimationFrame(() => this.drawNow());
	}
	drawNow() {
		let { canvas: e, model: t } = this, n = window.devicePixelRatio || 1, [r, i] = [e.clientWidth, e.clientHeight];
		(e.width !== Math.round(r * n) || e.height !== Math.round(i * n)) && (e.width = Math.round(r * n), e.height = Math.round(i * n));
		let a = e.getContext("2d"), o = getComputedStyle(e), s = t.store.state.peek(), c = bt(() => t.scale()), l = this.port;
		a.setTransform(n, 0, 0, n, 0, 0), a.clearRect(0, 0, r, i), a.imageSmoothingEnabled = !1;
		let u = Il(l.scale, n, this.rows, this.columns), d = {
			level: Il(0, 1, this.rows, this.columns),
			y: 0,
			x: 0
		}, f = Ll(l, u, this.rows, this.columns);
		this.cache.want([d, ...f.filter((e) => Rl(e) !== Rl(d))]);
		let p = this.mostOf([...f, ...f.some((e) => this.cache.get(e)) ? [] : [d]], s.pool);
		p !== null && p !== t.most.peek() && (t.most.value = p), a.save(), a.beginPath(), a.rect(this.labels, this.labels, l.width, l.height), a.clip();
		let m = f.map((e) => this.drawTile(a, e, l, c, s.pool));
		t.isPreview.value = m.some((e) => e?.preview), this.drawSelection(a, l, o), a.restore(), this.drawLabels(a, l, o), this.pooled.value = 2 ** u, e.dataset.level = String(u), e.dataset.waiting = String(this.cache.isWaiting);
	}
	mostOf(e, t) {
		let { isLong: n } = this, r = null;
		for (let i of e) {
			let e = this.cache.get(i);
			if (!e) continue;
			let a = this.mosts.get(e) ?? {};
			this.mosts.set(e, a), a[t] ??= n ? Xl(e[t]) : e[t].reduce((e, t) => t > e ? t : e, 0), r = Math.max(r ?? 0, a[t]);
		}
		if (!r || !n) return r;
		let i = 10 ** Math.floor(Math.log10(r)), a = [
			1,
			2,
			5,
			10
		].find((e) => e * i >= r) * i;
		return r <= 1 ? Math.min(1, a) : a;
	}
	drawTile(e, t, n, r, i) {
		let a = 256 * 2 ** t.level, o = t, s = this.cache.get(o);
		for (; !s && o.level < 24;) o = zl(o), s = this.cache.get(o);
		if (!s) return;
		let c = this.image(s, r, i), l = o.level - t.level, u = 256 / 2 ** l, d = (t.x - (o.x << l)) * u, f = (t.y - (o.y << l)) * u, p = Math.min(u, s.columns - d), m = Math.min(u, s.rows - f);
		if (p <= 0 || m <= 0) return s;
		let h = a / u * n.scale, g = (e, t) => this.labels + t + e * n.scale, [_, v] = [g(t.x * a, n.left), g(t.y * a, n.top)];
		return e.drawImage(c, d, f, p, m, _, v, p * h, m * h), s;
	}
	get middle() {
		let { query: e, key: t } = this.model.store.now, { scale: n, left: r, top: i, width: a, height: o } = this.port, s = (e, t, r) => {
			let i = e ? t + (e[0] + e[1]) / 2 * n : -1;
			return i >= 0 && i <= r ? i : r / 2;
		};
		return [s(t, r, a), s(e, i, o)];
	}
	get zoom() {
		if (this.transform.k < 1.001) return null;
		let { scale: e, left: t, top: n, width: r } = this.port;
		return [
			Math.max(0, Math.round(-n / e)),
			Math.max(0, Math.round(-t / e)),
			Math.max(1, Math.round(r / e))
		];
	}
	transformFor(e) {
		if (!e) return yl;
		let t = Math.max(this.fit, Math.min(Kl, this.port.width / e[2]));
		return yl.translate(-e[1] * t, -e[0] * t).scale(t / this.fit);
	}
	image(e, t, n) {
		let r = `${n} ${t.isLog} ${t.most} ${t.table[0]}`, i = this.images.get(e);
		if (i?.key === r) return i.bitmap;
		let a = document.createElement("canvas");
		return a.width = e.columns, a.height = e.rows, a.getContext("2d").putImageData(Fl(e[n], e.rows, e.columns, t), 0, 0), this.images.set(e, {
			key: r,
			bitmap: a
		}), a;
	}
	drawSelection(e, t, n) {
		let { query: r, key: i } = this.model.store.state.peek(), a = this.model.store.hover.peek(), o = (e, n) => [this.labels + t.left + e * t.scale, (n - e) * t.scale], s = (e, n) => [this.labels + t.top + e * t.scale, (n - e) * t.scale], c = [this.labels + Math.max(0, t.left), Math.min(t.width, t.left + this.columns * t.scale) - Math.max(0, t.left)], l = [this.labels + Math.max(0, t.top), Math.min(t.height, t.top + this.rows * t.scale) - Math.max(0, t.top)];
		e.lineWidth = 1, e.strokeStyle = n.getPropertyValue("--line"), a.query !== null && Zl(e, c, s(a.query, a.query + 1)), a.key !== null && Zl(e, o(a.key, a.key + 1), l), e.lineWidth = 2, e.strokeStyle = n.getPropertyValue("--query"), r && Zl(e, c, s(...r)), e.strokeStyle = n.getPropertyValue("--key"), i && Zl(e, o(...i), l);
	}
	drawLabels(e, t, n) {
		let { model: r } = this, i = Math.max(10, Math.min(14, t.scale - 2));
		e.font = `${i}px ${n.fontFamily}`, e.textBaseline = "middle";
		let a = Math.max(1, Math.ceil((i + 3) / t.scale)), { query: o, key: s } = r.store.state.peek(), c = r.store.hover.peek(), [l, u] = [r.queryWords.peek(), r.keyWords.peek()], d = (e, t, r, i) => n.getPropertyValue(t && e >= t[0] && e < t[1] ? i : r === e ? "--ink" : "--quiet"), f = (e, n, r, i, o) => {
			let [s, c] = [Math.max(0, Math.floor(-e / t.scale)), Math.min(r - 1, Math.floor((n - e) / t.scale))], l = [i?.[0], o].filter((e) => typeof e == "number" && e >= s && e <= c), u = [...new Set(l)];
			for (let e = Math.ceil(s / a) * a; e <= c; e += a) l.some((t) => Math.abs(t - e) < a) || u.push(e);
			return u;
		};
		e.textAlign = "right";
		for (let n of f(t.top, t.height, l.length, o, c.query)) {
			let r = this.labels + t.top + (n + .5) * t.scale;
			r < this.labels || r > this.labels + t.height || (e.fillStyle = d(n, o, c.query, "--query"), e.fillText(Ql(e, l[n], this.labels), this.labels - 6, r));
		}
		e.font = `11px ${n.fontFamily}`, e.fillStyle = n.getPropertyValue("--quiet");
		for (let [t, n] of this.corner) e.fillText(t, this.labels - 6, n);
		e.font = `${i}px ${n.fontFamily}`, e.textAlign = "left";
		for (let n of f(t.left, t.width, u.length, s, c.key)) {
			let r = this.labels + t.left + (n + .5) * t.scale;
			r < this.labels || r > this.labels + t.width || (e.save(), e.translate(r, this.labels - 6), e.rotate(-Math.PI / 2), e.fillStyle = d(n, s, c.key, "--key"), e.fillText(Ql(e, u[n], this.labels), 0, 0), e.restore());
		}
	}
	get corner() {
		return [["to →", this.labels - 26], ["from ↓", this.labels - 13]];
	}
	get sight() {
		let { scale: e, left: t, top: n, width: r, height: i } = this.port, a = 1e-6, o = (t, n, r) => [Math.max(0, Math.floor(-t / e + a)), Math.min(r, Math.ceil((n - t) / e - a))], [s, c] = o(n, i, this.rows), [l, u] = o(t, r, this.columns);
		return {
			from: s,
			rows: c - s,
			first: l,
			columns: u - l
		};
	}
	svg() {
		let { model: e, canvas: t } = this, n = this.port, r = getComputedStyle(t), { from: i, rows: a, first: o, columns: s } = this.sight, c = document.createElement("canvas"), l = Math.min(n.width, s * n.scale), u = Math.min(n.height, a * n.scale), d = window.devicePixelRatio || 1, [f, p] = [this.labels + Math.max(0, n.left), this.labels + Math.max(0, n.top)];
		c.width = Math.max(1, Math.round(l * d)), c.height = Math.max(1, Math.round(u * d)), c.getContext("2d").drawImage(t, f * d, p * d, l * d, u * d, 0, 0, c.width, c.height);
		let [m, h] = [e.queryWords.peek(), e.keyWords.peek()], g = Math.max(8, Math.min(14, n.scale - 2)), _ = Math.max(1, Math.ceil((g + 3) / n.scale)), v = r.getPropertyValue("--ink"), y = t.getContext("2d");
		y.font = `${g}px ${r.fontFamily}`;
		let b = [];
		for (let e = Math.ceil(i / _) * _; e < i + a; e += _) b.push(`<text x="${this.labels - 6}" y="${this.labels + n.top + (e + .5) * n.scale}" dy="0.35em" text-anchor="end">${_n(Ql(y, m[e], this.labels))}</text>`);
		for (let e = Math.ceil(o / _) * _; e < o + s; e += _) b.push(`<text transform="translate(${this.labels + n.left + (e + .5) * n.scale} ${this.labels - 6}) rotate(-90)" dy="0.35em">${_n(Ql(y, h[e], this.labels))}</text>`);
		let x = this.corner.map(([e, t]) => `<text x="${this.labels - 6}" y="${t}" dy="0.35em" text-anchor="end" font-size="11">${e}</text>`).join(""), S = e.scale(), C = (e) => `rgb(${[
			0,
			1,
			2
		].map((t) => S.table[Math.round(e * 255) * 4 + t]).join(" ")})`, w = [
			0,
			.25,
			.5,
			.75,
			1
		].map((e) => `<stop offset="${e}" stop-color="${C(e)}"/>`).join(""), [T, E] = Ul(S, this.isLong), D = p + u + 24, O = `<linearGradient id="ramp">${w}</linearGradient><text x="${f}" y="${D}" dy="0.35em" font-size="11">${T}</text><rect x="${f + 60}" y="${D - 5}" width="96" height="10" fill="url(#ramp)" stroke="${r.getPropertyValue("--line")}"/><text x="${f + 164}" y="${D}" dy="0.35em" font-size="11">${E}</text>`, [ee, te] = [Math.max(f + l + 16, 360), D + 16], ne = this.pooled.peek(), re = [
			e.caption.peek(),
			e.source.info.title,
			e.isPreview.peek() && "sampled preview",
			ne > 1 && `${e.store.now.pool === "max" ? "maximum" : "mean"} of ${ne} × ${ne}`
		].filter(Boolean).join(" · ");
		return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 -28 ${ee} ${te + 28}" width="${ee}" height="${te + 28}" font-family="sans-serif" font-size="${g}" fill="${v}"><rect y="-28" width="${ee}" height="${te + 28}" fill="${r.getPropertyValue("--paper")}"/><text x="8" y="-8" font-size="13">${_n(re)}</text><image x="${f}" y="${p}" width="${l}" height="${u}" href="${c.toDataURL()}"/>${b.join("")}${x}${O}</svg>`;
	}
	get isLong() {
		return Math.max(this.rows, this.columns) > 256;
	}
	async table() {
		let { from: e, rows: t, first: n, columns: r } = this.sight;
		if (t * r > ql) throw Error(`${t * r} weights are in sight: zoom in to at most ${ql}`);
		let [i, a] = [this.model.queryWords.peek(), this.model.keyWords.peek()], o = this.model.store.lens.peek(), s = [[this.model.caption.peek(), ...a.slice(n, n + r)]], c = await cn(this.model.source, o, e, t, n, r);
		for (let n = 0; n < t; n++) s.push([i[e + n], ...c.subarray(n * r, (n + 1) * r)]);
		return s;
	}
	close() {
		cancelAnimationFrame(this.frame), this.cache.close();
	}
};
function Xl(e) {
	let t = Math.max(1, Math.floor(e.length / 8192)), n = e.filter((e, n) => e > 0 && n % t === 0).sort();
	return n.length ? n[Math.floor((n.length - 1) * .995)] : 0;
}
function Zl(e, [t, n], [r, i]) {
	e.strokeRect(t - .5, r - .5, Math.max(2, n + 1), Math.max(2, i + 1));
}
function Ql(e, t, n) {
	if (e.measureText(t.slice(0, 60)).width <= n - 10 && t.length <= 60) return t;
	let r = [...t.slice(0, 60)];
	for (; r.length && e.measureText(`${r.join("")}…`).width > n - 10;) r.pop();
	return `${r.join("")}…`;
}
function $l({ model: e }) {
	let t = P(null), n = V(""), r = V(1), i = ct(), [a, o] = [e.queryWords.value.length, e.keyWords.value.length], s = e.store.lens.value;
	N(() => {
		let n = t.current, i = new Yl(n, e, a, o, r);
		i.measure();
		let { store: s } = e;
		e.kept.value = i;
		let c = kl().extent(() => [[0, 0], [n.clientWidth - i.labels, n.clientHeight - i.labels]]).on("zoom", ({ transform: e, sourceEvent: t }) => {
			i.transform = e, i.draw(), t instanceof MouseEvent && h(t);
		}).on("end", () => {
			`${i.zoom}` != `${s.now.zoom}` && s.set({ zoom: i.zoom });
		}), l = () => c.scaleExtent([1, Math.max(1, Kl / i.fit)]).translateExtent([[0, 0], [i.fit * o, i.fit * a]]);
		l();
		let u = ca(n);
		u.call(c).on("dblclick.zoom", null);
		let d = B(() => {
			s.state.value, s.hover.value, e.ground.value, e.most.value, i.draw();
		}), f = (e) => {
			let t = c.extent().call(n, void 0);
			u.call(c.transform, e ? c.constrain()(i.transformFor(e), t, c.translateExtent()) : yl);
		}, p = B(() => {
			`${i.zoom}` != `${s.zoom.value}` && f(s.zoom.value);
		}), m = new ResizeObserver(() => {
			i.measure(), l(), f(s.now.zoom), i.draw();
		});
		m.observe(n);
		let h = (e) => {
			let { left: t, top: r } = n.getBoundingClientRect();
			s.hover.value = i.cellAt(e.clientX - t, e.clientY - r) ?? {
				query: null,
				key: null
			};
		}, g = () => {
			s.hover.value = {
				query: null,
				key: null
			};
		}, _ = (e) => {
			let { left: t, top: r } = n.getBoundingClientRect(), a = i.cellAt(e.clientX - t, e.clientY - r);
			if (!a) return;
			let [o, c] = [a.query, a.key].map((e) => e === null ? null : [e, e + 1]);
			s.set({
				...o && { query: o },
				...c && { key: c }
			});
		}, v = (e) => {
			let t = {
				"+": 1.5,
				"-": 1 / 1.5,
				0: 0
			}[e.detail];
			t === 0 ? u.call(c.transform, yl) : t && u.call(c.scaleBy, t, i.middle);
		};
		return n.addEventListener("pointermove", h), n.addEventListener("pointerleave", g), n.addEventListener("click", _), n.addEventListener("zoom-by", v), () => {
			d(), p(), m.disconnect(), u.on(".zoom", null), n.removeEventListener("pointermove", h), n.removeEventListener("pointerleave", g), n.removeEventListener("click", _), n.removeEventListener("zoom-by", v), e.kept.value = null, e.isPreview.value = !1, i.close();
		};
	}, [
		s,
		a,
		o
	]), N(() => B(() => {
		let { query: t, key: r } = e.store.state.value, i = e.store.hover.value, [a, o] = [i.query ?? t?.[0], i.key ?? r?.[0]];
		if (a === void 0 || o === void 0 || a >= e.queryWords.peek().length || o >= e.keyWords.peek().length) {
			n.value = "";
			return;
		}
		let s = new AbortController(), l = setTimeout(() => c(a, o, s.signal), 40);
		return () => {
			clearTimeout(l), s.abort();
		};
	}), []);
	function c(t, r, i) {
		let [a, o] = [e.queryWords.peek()[t], e.keyWords.peek()[r]];
		e.isHidden([r, r + 1]) ? n.value = `${a} → ${o}: this key is hidden` : e.source.rows(e.store.lens.peek(), t, t + 1, i).then((e) => {
			let t = 1 + e.reduce((t, n) => t + Number(n > e[r]), 0);
			n.value = `${a} → ${o}: ${H(e[r])}, ${t === 1 ? "largest" : `rank ${t}`} of its row`;
		}, () => void 0);
	}
	return /* @__PURE__ */ W("figure", {
		class: "matrix",
		children: [/* @__PURE__ */ W("canvas", {
			ref: t,
			tabIndex: 0,
			role: "grid",
			"aria-label": "Weights: queries down, keys across",
			"aria-rowcount": a,
			"aria-colcount": o,
			"aria-activedescendant": i,
			children: /* @__PURE__ */ W("div", {
				role: "row",
				children: /* @__PURE__ */ W("div", {
					role: "gridcell",
					id: i,
					children: n.value || "no cell is selected"
				})
			})
		}), /* @__PURE__ */ W("figcaption", { children: [/* @__PURE__ */ W("output", {
			"aria-live": "polite",
			children: n.value || "Point at a cell, or use the arrow keys."
		}), /* @__PURE__ */ W(Gl, {
			model: e,
			pooled: r.value,
			isLong: Math.max(a, o) > 256
		})] })]
	});
}
// src/views/overview.tsx
var eu = {
	layer: "layer and head",
	look: "what the selection looks at",
	entropy: "entropy, focused first",
	distance: "distance, far first",
	first: "attention to the first token",
	previous: "attention to the token before"
}, tu = {
	layer: "",
	look: "weight",
	entropy: "nats",
	distance: "tokens away",
	first: "weight",
	previous: "weight"
};
function nu({ model: e }) {
	let { store: t, source: n } = e, { heads: r, sort: i, sorted: a } = t.state.value, o = i === "look" && !e.looks.value ? "layer" : i, s = e.statistics.value, c = new Map((e.looks.value ?? []).map((e) => [e.head.join("."), e])), l = (e) => {
		let t = e.join(".");
		if (o === "look") return c.get(t)?.weight ?? -1;
		let n = s.get(t);
		return !n || o === "layer" ? 0 : Number.isFinite(n[o]) ? o === "entropy" ? -n.entropy : n[o] : -Infinity;
	}, u = e.heads, d = o === "layer" || !a;
	d || u.sort((e, t) => l(t) - l(e));
	let f = [...new Set(u.map(([e]) => e))], p = Math.max(...f.map((e) => n.info.layers[e].heads.length)), m = (e) => {
		let t = l(e);
		return o === "layer" || !Number.isFinite(t) ? 0 : o === "entropy" ? -t : Math.max(0, t);
	}, h = Math.max(1e-9, ...u.map(m)), g = s.values().next().value?.sampled;
	function _(n, i) {
		let a = n.join("."), o = r.filter((e) => e.join(".") !== a);
		i ? o.length < r.length ? t.set({ heads: o.length ? o : r }) : ru(e, n) && t.set({ heads: [...r, n] }) : t.set({ heads: [n] });
	}
	let v = P(null), y = u.find((e) => `${e}` == `${r[0]}`) ?? u[0];
	function b(e) {
		let t = [...v.current.querySelectorAll(".head")], n = t.indexOf(e.target), r = t.filter((e) => e.offsetTop === t[0].offsetTop).length, i = {
			ArrowRight: n + 1,
			ArrowLeft: n - 1,
			ArrowDown: n + r,
			ArrowUp: n - r,
			Home: 0,
			End: t.length - 1
		}[e.key];
		n < 0 || i === void 0 || (e.preventDefault(), e.stopPropagation(), t[i]?.focus());
	}
	return /* @__PURE__ */ W("nav", {
		class: "overview",
		"aria-label": "Heads",
		children: [
			/* @__PURE__ */ W("label", {
				class: "field",
				children: ["Heads by", /* @__PURE__ */ W("select", {
					value: i,
					onChange: (e) => t.set({ sort: e.currentTarget.value }),
					children: Jt.map((e) => /* @__PURE__ */ W("option", {
						value: e,
						children: eu[e]
					}))
				})]
			}),
			o !== "layer" && /* @__PURE__ */ W("label", {
				class: "field",
				children: [/* @__PURE__ */ W("input", {
					type: "checkbox",
					checked: a,
					onChange: (e) => t.set({ sorted: e.currentTarget.checked })
				}), "in this order"]
			}),
			o !== "layer" && h > 1e-8 && /* @__PURE__ */ W("p", {
				class: "hint",
				children: [
					"names: ",
					/* @__PURE__ */ W(Wl, { scale: Nl(h, !1, e.ground.value) }),
					" ",
					tu[o]
				]
			}),
			/* @__PURE__ */ W("ol", {
				ref: v,
				onKeyDown: b,
				class: `heads${d ? " is-grid" : ""}`,
				style: d ? { gridTemplateColumns: `auto repeat(${p}, minmax(0, 1fr))` } : void 0,
				children: [d && f.map((e, t) => /* @__PURE__ */ W("li", {
					class: "quiet",
					"aria-hidden": "true",
					style: {
						gridRow: t + 1,
						gridColumn: 1
					},
					children: n.info.layers[e].label
				})), u.map((t) => {
					let n = t.join("."), i = r.findIndex((e) => e.join(".") === n);
					return /* @__PURE__ */ W("li", {
						style: d ? {
							gridRow: f.indexOf(t[0]) + 1,
							gridColumn: t[1] + 2
						} : void 0,
						children: /* @__PURE__ */ W(au, {
							model: e,
							head: t,
							sort: o,
							share: m(t) / h,
							isShort: d,
							statistics: s.get(n),
							look: c.get(n),
							isChosen: i >= 0,
							isStop: `${t}` == `${y}`,
							onChoose: (e) => _(t, e)
						})
					}, n);
				})]
			}),
			/* @__PURE__ */ W("p", {
				class: "hint",
				children: ["Ctrl-click (⌘), or Shift and Enter, for several heads. Thumbnails show the largest weights.", g && g[0] < g[1] && ` They and the numbers of heads are made of ${g[0]} of ${g[1]} rows.`]
			})
		]
	});
}
function ru(e, [t]) {
	let { layers: n } = e.source.info, r = n[e.store.now.heads[0][0]];
	return n[t].queries === r.queries && n[t].keys === r.keys;
}
var iu = (e, t) => Number.isFinite(e) ? t(e) : "–";
function au({ model: e, head: t, statistics: n, look: r, sort: i, share: a, isShort: o, isChosen: s, isStop: c, onChoose: l }) {
	let u = U(e.source.info, t), d = e.keyWords.value, f = Nl(1, !1, e.ground.value), p = {
		layer: null,
		look: r ? `${d[r.key] ?? ""} ${H(r.weight)}` : null,
		entropy: n ? iu(n.entropy, (e) => `${e.toFixed(2)} nats`) : null,
		distance: n ? iu(n.distance, (e) => `${e.toFixed(1)} away`) : null,
		first: n ? iu(n.first, H) : null,
		previous: n ? iu(n.previous, H) : null
	}, m = n ? `entropy ${p.entropy}, distance ${iu(n.distance, (e) => e.toFixed(1))}, first token ${p.first}, token before ${p.previous}` + (n.sampled[0] < n.sampled[1] ? `; from ${n.sampled[0]} of ${n.sampled[1]} rows` : "") : "being computed";
	return /* @__PURE__ */ W("button", {
		type: "button",
		class: `head${s ? " is-chosen" : ""}`,
		"aria-pressed": s,
		tabIndex: c ? 0 : -1,
		title: `${u}: ${m}`,
		onClick: (e) => l(e.ctrlKey || e.metaKey || e.shiftKey),
		children: [
			/* @__PURE__ */ W(ou, {
				model: e,
				statistics: n
			}),
			/* @__PURE__ */ W("span", {
				class: "name",
				style: i === "layer" ? void 0 : {
					background: f.css(a),
					color: Pl(f, a)
				},
				children: o ? /* @__PURE__ */ W(A, { children: [/* @__PURE__ */ W("span", {
					class: "unseen",
					children: u
				}), /* @__PURE__ */ W("span", {
					"aria-hidden": "true",
					children: e.source.info.layers[t[0]].heads[t[1]]
				})] }) : u
			}),
			p[i] && /* @__PURE__ */ W("span", {
				class: o ? "unseen" : "says",
				children: [" ", p[i]]
			})
		]
	});
}
function ou({ model: e, statistics: t }) {
	let n = P(null), [r, i] = [e.ground.value, e.store.state.value.log];
	return N(() => {
		let e = n.current?.getContext("2d");
		if (!e || !t) return;
		let [a, o] = t.side, s = 0;
		for (let e of t.thumbnail) e > s && (s = e);
		e.canvas.width = o, e.canvas.height = a, e.putImageData(Fl(t.thumbnail, a, o, Nl(s, i, r)), 0, 0);
	}, [
		t,
		r,
		i
	]), /* @__PURE__ */ W("canvas", {
		ref: n,
		class: "thumbnail",
		"aria-hidden": "true",
		"data-waiting": !t,
		width: 1,
		height: 1
	});
}
// src/views/products.tsx
var [su, cu, lu] = [
	640,
	260,
	130
];
function uu({ model: e }) {
	let { store: t, source: n } = e, { heads: r, query: i, key: a, text: s, unit: c } = t.state.value, l = V(null), [u] = r, d = (e, t) => e && o(n.info, u[0], t, s, c).spans[e[0]]?.[0], [f, p] = [d(i, 0), d(a, 1)];
	N(() => {
		if (l.value = null, typeof f != "number" || typeof p != "number") return;
		let t = !1;
		return n.products(u, s, f, p).then((e) => {
			t || (l.value = e);
		}, (n) => {
			t || (e.error.value = n.message);
		}), () => {
			t = !0;
		};
	}, [
		u,
		s,
		f,
		p
	]);
	let m = P(null);
	if (N(() => {
		let t = l.value?.products;
		if (t) return e.kept.value = {
			svg: () => fn(m.current, pn(m.current), [[`${U(n.info, u)}: what each dimension of q·k adds to the score`, mn(m.current)]]),
			table: async () => [["dimension", "scale · q · k"], ...Array.from(t, (e, t) => [t, e])]
		}, () => {
			e.kept.value = null;
		};
	}, [l.value]), typeof f != "number" || typeof p != "number") return /* @__PURE__ */ W("p", {
		class: "empty",
		children: "Choose a word (query) and another that it looks at (key, with Alt): then this shows what each dimension of q·k adds to their score."
	});
	let h = (e, t) => Vn(o(n.info, u[0], t, s, "pieces").names[e]), g = l.value;
	if (!g) return /* @__PURE__ */ W("p", {
		class: "empty",
		children: "…"
	});
	if (!g.products) return /* @__PURE__ */ W("p", {
		class: "empty",
		children: "Of this layer only the weights were kept, not q and k."
	});
	let _ = g.products, v = _.reduce((e, t) => e + t, 0), y = Math.max(1e-9, ..._.map(Math.abs)), b = (su - 40) / _.length, x = (e) => e / y * (lu - 24), S = [..._.keys()].sort((e, t) => Math.abs(_[t]) - Math.abs(_[e])).slice(0, 3).map((e) => `${e} (${_[e].toFixed(2)})`);
	return /* @__PURE__ */ W("figure", {
		class: "products",
		children: [/* @__PURE__ */ W("svg", {
			ref: m,
			viewBox: `0 0 ${su} ${cu}`,
			role: "img",
			"aria-label": `What each of ${_.length} dimensions adds to the score ${v.toFixed(3)}`,
			children: [
				/* @__PURE__ */ W("line", {
					x1: "30",
					x2: su - 10,
					y1: lu,
					y2: lu,
					class: "axis"
				}),
				Array.from(_, (e, t) => /* @__PURE__ */ W("rect", {
					x: 30 + t * b + b * .1,
					width: b * .8,
					y: e > 0 ? lu - x(e) : lu,
					height: Math.max(.5, Math.abs(x(e))),
					class: e > 0 ? "adds" : "takes",
					children: /* @__PURE__ */ W("title", { children: `dimension ${t}: ${e.toFixed(4)}` })
				})),
				/* @__PURE__ */ W("text", {
					x: "4",
					y: "22",
					children: `+${y.toFixed(2)}`
				}),
				/* @__PURE__ */ W("text", {
					x: "4",
					y: cu - 12,
					children: `−${y.toFixed(2)}`
				})
			]
		}), /* @__PURE__ */ W("figcaption", {
			class: "text",
			children: [
				U(n.info, u),
				": ",
				/* @__PURE__ */ W("bdi", { children: h(f, 0) }),
				" → ",
				/* @__PURE__ */ W("bdi", { children: h(p, 1) }),
				", scale · Σ q·k = ",
				v.toFixed(3),
				" over ",
				_.length,
				" dimensions, which makes the weight",
				" ",
				/* @__PURE__ */ W("strong", { children: H(g.weight) }),
				". Most of it from dimensions ",
				S.join(", "),
				".",
				t.state.value.hide !== "nothing" && " It is the weight before anything is hidden.",
				c === "words" && " Of a word with several pieces the first is shown."
			]
		})]
	});
}
// src/views/words.tsx
var du = 300;
function fu({ model: e }) {
	let { store: t } = e, { query: n, key: r } = t.state.value, i = !n && !!r, a = e.queried.value, o = e.isSelf.value, s = o ? [["", i ? e.column.value : e.row.value]] : [["from", e.column.value], ["to", e.row.value]];
	return /* @__PURE__ */ W("section", {
		class: "words",
		"aria-label": "The text",
		children: [/* @__PURE__ */ W("div", {
			class: "lines",
			children: [!o && /* @__PURE__ */ W(mu, {
				model: e,
				side: "query",
				label: "from"
			}), /* @__PURE__ */ W(mu, {
				model: e,
				side: o ? i ? "key-self" : "self" : "key",
				label: o ? null : "to"
			})]
		}), /* @__PURE__ */ W("div", {
			class: "below",
			children: [
				/* @__PURE__ */ W("p", {
					class: "hint",
					"aria-live": "polite",
					children: a ? `Shaded by what “${Hn(e.queryWords.value, a)}” looks at` : r ? `Shaded by what looks at “${Hn(e.keyWords.value, r)}”` : `Choose a ${e.hasPatches.value[0] ? "patch" : "word"} to see what it looks at; drag over several.`
				}),
				s.map(([n, r]) => r && /* @__PURE__ */ W("span", {
					class: "legend",
					children: [n, /* @__PURE__ */ W(Wl, { scale: Nl(hu(r), t.state.value.log, e.ground.value) })]
				})),
				o && /* @__PURE__ */ W("label", {
					class: "field",
					children: ["a click chooses", /* @__PURE__ */ W("select", {
						value: e.picks.value,
						onChange: (t) => e.picks.value = t.currentTarget.value,
						children: [/* @__PURE__ */ W("option", {
							value: "query",
							children: "who looks (query)"
						}), /* @__PURE__ */ W("option", {
							value: "key",
							children: "what is looked at (key)"
						})]
					})]
				})
			]
		})]
	});
}
function pu({ model: e }) {
	let t = V("");
	function n(n) {
		let r = n.toLocaleLowerCase(), i = e.queryWords.value, a = (e.store.now.query?.[0] ?? -1) + 1;
		for (let n = 0; r && n < i.length; n++) {
			let o = (a + n) % i.length;
			if (i[o].toLocaleLowerCase().includes(r)) {
				t.value = `word ${o + 1} of ${i.length}`, e.store.set({ query: [o, o + 1] });
				return;
			}
		}
		t.value = r ? "no such word" : "";
	}
	return /* @__PURE__ */ W("form", {
		class: "find",
		role: "search",
		onSubmit: (e) => {
			e.preventDefault(), n(e.currentTarget.querySelector("input").value);
		},
		children: [/* @__PURE__ */ W("input", {
			type: "search",
			"aria-label": "Find a word",
			placeholder: "find a word  /",
			onInput: () => t.value = "",
			onKeyDown: (e) => {
				e.key === "Escape" && e.currentTarget.blur();
			}
		}), /* @__PURE__ */ W("span", {
			role: "status",
			class: "hint",
			children: t.value
		})]
	});
}
function mu({ model: e, side: t, label: n }) {
	let { store: r } = e, { query: i, key: a } = r.state.value, o = t === "query" ? e.queryWords.value : e.keyWords.value, s = t === "query" ? e.querySpecial.value : e.keySpecial.value, c = t === "query" || t === "key-self" ? e.column.value : e.row.value, l = c && c.length === o.length ? c : null, u = Nl(l ? hu(l) : 1, r.state.value.log, e.ground.value), d = P(null), f = P(null), p = t !== "key", m = e.hasPatches.value[t === "query" ? 0 : 1], h = V(0), g = p ? i ?? a : a;
	N(() => {
		let [e] = g ?? [h.peek()];
		(e < h.peek() || e >= h.peek() + du) && (h.value = Math.max(0, e - du / 2));
	}, [g?.[0], o]);
	let _ = Math.min(h.value, Math.max(0, o.length - du)), v = P(null);
	N(() => {
		let e = () => f.current = null;
		return window.addEventListener("mouseup", e), () => window.removeEventListener("mouseup", e);
	}, []), N(() => {
		let e = g && v.current?.querySelector(`[data-at="${g[0]}"]`), t = e?.closest(".lines");
		if (!e || !t) return;
		let [n, r] = [e.offsetTop, e.offsetTop + e.offsetHeight];
		(n < t.scrollTop || r > t.scrollTop + t.clientHeight) && (t.scrollTop = n - t.clientHeight / 2);
	}, [g?.[0], _]);
	function y(n, o) {
		let s = t === "key" || t !== "query" && o.altKey !== (e.picks.value === "key"), c = s ? a : i, l = o.shiftKey && d.current !== null ? Math.min(d.current, n) : n, u = o.shiftKey && d.current !== null ? Math.max(d.current, n) + 1 : n + 1;
		o.shiftKey || (d.current = n);
		let f = c && c[0] === l && c[1] === u ? null : [l, u];
		r.set(s ? { key: f } : { query: f });
	}
	return /* @__PURE__ */ W(A, { children: [/* @__PURE__ */ W("p", {
		ref: v,
		class: "line",
		children: [n && /* @__PURE__ */ W("span", {
			class: "side",
			children: n
		}), o.slice(_, _ + du).map((e, n) => {
			let o = _ + n;
			if (m && !s[o]) return null;
			let c = l ? l[o] : 0, h = p && i !== null && o >= i[0] && o < i[1], g = t !== "query" && a !== null && o >= a[0] && o < a[1];
			return /* @__PURE__ */ W("button", {
				type: "button",
				"data-at": o,
				class: `chip${h ? " is-query" : ""}${g ? " is-key" : ""}`,
				"aria-pressed": h || g,
				title: l ? `${e}: ${H(c)}` : e,
				style: l ? {
					background: u.css(c),
					color: Pl(u, c)
				} : void 0,
				onClick: (e) => y(o, e),
				onMouseDown: (e) => {
					e.button === 0 && !e.shiftKey && (f.current = o);
				},
				onMouseUp: (e) => {
					e.button === 0 && f.current !== null && f.current !== o && (d.current = f.current, y(o, {
						altKey: e.altKey,
						shiftKey: !0
					}));
				},
				onMouseEnter: () => r.hover.value = p ? {
					query: o,
					key: null
				} : {
					query: null,
					key: o
				},
				onMouseLeave: () => r.hover.value = {
					query: null,
					key: null
				},
				children: /* @__PURE__ */ W("bdi", { children: e })
			}, o);
		})]
	}), o.length > du && !m && /* @__PURE__ */ W("label", {
		class: "field",
		children: [
			_ + 1,
			"–",
			_ + du,
			" of ",
			o.length,
			/* @__PURE__ */ W("input", {
				type: "range",
				min: 0,
				max: o.length - du,
				value: _,
				onInput: (e) => h.value = Number(e.currentTarget.value)
			})
		]
	})] });
}
function hu(e) {
	let t = 0;
	for (let n of e) n > t && (t = n);
	return t;
}
// src/views/app.tsx
var gu = {
	matrix: "Matrix",
	arcs: "Arcs",
	products: "q·k",
	image: "Image"
}, _u = {
	nothing: "nothing",
	special: "special tokens",
	first: "first token"
};
function vu({ model: e }) {
	let { store: t, source: n } = e, r = P(null), i = V(!1), a = ct(), o = t.state.value, s = e.views.value, c = e.view.value;
	N(() => {
		let t = (t) => tr(t, e, r.current, () => i.value = !i.value), n = r.current.getRootNode();
		return n.addEventListener("keydown", t), () => n.removeEventListener("keydown", t);
	}, [e]), N(() => {
		t.hover.value = {
			query: null,
			key: null
		};
	}, [
		c,
		o.unit,
		o.text
	]);
	function l(e) {
		let n = [...e.currentTarget.querySelectorAll("[role=tab]")], r = s.indexOf(c), i = {
			ArrowRight: r + 1,
			ArrowLeft: r - 1 + s.length,
			Home: 0,
			End: s.length - 1
		}[e.key];
		i !== void 0 && (e.preventDefault(), e.stopPropagation(), n[i % s.length].focus(), t.set({ view: s[i % s.length] }));
	}
	return /* @__PURE__ */ W("div", {
		ref: r,
		class: "clearhead",
		"data-theme": e.ground.value,
		children: [
			/* @__PURE__ */ W("header", { children: [/* @__PURE__ */ W("h1", { children: /* @__PURE__ */ W("bdi", { children: n.info.title }) }), /* @__PURE__ */ W("button", {
				type: "button",
				class: "plain",
				onClick: () => i.value = !0,
				"aria-haspopup": "dialog",
				children: "Keys, and what weights do not show"
			})] }),
			/* @__PURE__ */ W(nu, { model: e }),
			/* @__PURE__ */ W("main", { children: [
				/* @__PURE__ */ W(fu, { model: e }),
				/* @__PURE__ */ W("div", {
					class: "bar-of-views",
					children: [
						/* @__PURE__ */ W("div", {
							class: "tabs",
							role: "tablist",
							"aria-label": "Views",
							onKeyDown: l,
							children: s.map((e) => /* @__PURE__ */ W("button", {
								type: "button",
								role: "tab",
								"aria-selected": e === c,
								"aria-controls": a,
								tabIndex: e === c ? 0 : -1,
								onClick: () => t.set({ view: e }),
								children: gu[e]
							}))
						}),
						/* @__PURE__ */ W("span", {
							class: "chosen",
							children: e.caption.value
						}),
						/* @__PURE__ */ W(pu, { model: e })
					]
				}),
				/* @__PURE__ */ W("section", {
					id: a,
					role: "tabpanel",
					"aria-label": gu[c],
					class: "view",
					children: [
						c === "matrix" && /* @__PURE__ */ W($l, { model: e }),
						c === "arcs" && /* @__PURE__ */ W(Xn, { model: e }),
						c === "products" && /* @__PURE__ */ W(uu, { model: e }),
						c === "image" && /* @__PURE__ */ W(ir, { model: e })
					]
				})
			] }),
			/* @__PURE__ */ W(sr, { model: e }),
			/* @__PURE__ */ W("footer", {
				"aria-label": "How it is shown",
				children: [
					/* @__PURE__ */ W(yu, {
						label: "by",
						value: o.unit,
						options: {
							words: "words",
							pieces: "pieces"
						},
						onChange: (t) => e.change(t)
					}),
					/* @__PURE__ */ W(yu, {
						label: "scale",
						value: o.log ? "log" : "linear",
						options: {
							linear: "linear",
							log: "log"
						},
						onChange: (e) => t.set({ log: e === "log" })
					}),
					/* @__PURE__ */ W(yu, {
						label: "hide",
						value: o.hide,
						options: Object.fromEntries(Yt.map((e) => [e, _u[e]])),
						onChange: (e) => t.set({ hide: e })
					}),
					/* @__PURE__ */ W(yu, {
						label: "zoomed out",
						value: o.pool,
						options: {
							mean: "mean",
							max: "maximum"
						},
						onChange: (e) => t.set({ pool: e })
					}),
					e.steps > 1 && /* @__PURE__ */ W("label", {
						class: "field",
						children: [e.stepName, /* @__PURE__ */ W("input", {
							type: "range",
							min: 0,
							max: e.steps - 1,
							value: e.step.value,
							onInput: (t) => e.go(Number(t.currentTarget.value))
						})]
					}),
					n.info.batch > 1 && /* @__PURE__ */ W(yu, {
						label: "text",
						value: `${o.text}`,
						options: Object.fromEntries(Array.from({ length: n.info.batch }, (e, t) => [`${t}`, `${t + 1} of ${n.info.batch}`])),
						onChange: (e) => t.set({
							text: Number(e),
							query: null,
							key: null
						})
					}),
					/* @__PURE__ */ W(yu, {
						label: "theme",
						value: o.theme,
						options: Object.fromEntries(Xt.map((e) => [e, e])),
						onChange: (e) => t.set({ theme: e })
					}),
					/* @__PURE__ */ W(Qn, { model: e })
				]
			}),
			e.error.value && /* @__PURE__ */ W("p", {
				role: "alert",
				class: "error",
				children: e.error.value
			}),
			i.value && /* @__PURE__ */ W(nr, { onClose: () => i.value = !1 })
		]
	});
}
function yu({ label: e, value: t, options: n, onChange: r }) {
	return /* @__PURE__ */ W("label", {
		class: "field",
		children: [e, /* @__PURE__ */ W("select", {
			value: t,
			onChange: (e) => r(e.currentTarget.value),
			children: Object.entries(n).map(([e, t]) => /* @__PURE__ */ W("option", {
				value: e,
				children: t
			}))
		})]
	});
}
// src/views/model.ts
var bu = 4096, xu = 150;
function Su(e, t) {
	let n = (e, n) => t.layers[e].queries === t.layers[n].queries && t.layers[e].keys === t.layers[n].keys, r = e.heads.filter(([e, n]) => n < (t.layers[e]?.heads.length ?? 0)).filter((e, t, n) => n.findIndex((t) => `${t}` == `${e}`) === t), i = r.filter(([e]) => n(e, r[0][0])), a = e.text < t.batch ? e.text : 0, [[s]] = i.length ? i : Zt.heads, c = (n, r) => {
		let i = o(t, s, r, a, e.unit).names.length;
		return n && n[0] < i ? [n[0], Math.min(n[1], i)] : null;
	}, l = (n) => {
		let [r, i] = [0, 1].map((n) => o(t, s, n, a, e.unit).names.length);
		return n && n[2] >= 1 ? [
			Math.min(n[0], r - 1),
			Math.min(n[1], i - 1),
			n[2]
		] : null;
	};
	return {
		...e,
		heads: i.length ? i : Zt.heads,
		text: a,
		query: c(e.query, 0),
		key: c(e.key, 1),
		zoom: l(e.zoom)
	};
}
var Cu = 60, wu = class {
	store;
	source;
	systemIsDark;
	queryWords;
	keyWords;
	querySpecial;
	keySpecial;
	keyFirst;
	isSelf;
	step;
	picture;
	hasPatches;
	views;
	view;
	caption;
	ground;
	row = R(null);
	column = R(null);
	most = R(1);
	looks = R(null);
	statistics = R(/* @__PURE__ */ new Map());
	isPreview = R(!1);
	error = R(null);
	kept = R(null);
	picks = R("query");
	queried;
	stops = [];
	constructor(e, t, n) {
		this.store = e, this.source = t, this.systemIsDark = n;
		let { info: r } = t, i = z(() => r.layers[e.state.value.heads[0][0]]);
		this.step = z(() => i.value.call);
		let a = (t) => z(() => {
			let { heads: n, text: i, unit: a } = e.state.value;
			return o(r, n[0][0], t, i, a);
		}), [s, c] = [a(0), a(1)];
		this.queryWords = z(() => s.value.names.map(Vn)), this.keyWords = z(() => c.value.names.map(Vn)), this.queried = z(() => {
			let [{ query: t, key: n }, r] = [e.state.value, e.hover.value], i = this.queryWords.value.length;
			return t ?? (r.query !== null && r.query < i && r.key === null && !n ? [r.query, r.query + 1] : null);
		}), this.querySpecial = z(() => s.value.special), this.keySpecial = z(() => c.value.special), this.keyFirst = z(() => c.value.first), this.isSelf = z(() => `${i.value.sides[0]}` == `${i.value.sides[1]}` && i.value.queries === i.value.keys), this.picture = z(() => r.pictures?.[e.state.value.text] ?? null), this.hasPatches = z(() => {
			let e = this.picture.value, t = e ? e.first + e.grid[0] * e.grid[1] : -1;
			return [s.value.names.length === t, c.value.names.length === t];
		}), this.views = z(() => qt.filter((e) => e !== "image" || this.hasPatches.value[1])), this.view = z(() => this.views.value.includes(e.state.value.view) ? e.state.value.view : "matrix"), this.caption = z(() => {
			let { heads: t, hide: n, log: i } = e.state.value, a = this.view.value, o = a === "arcs", s = t.map((e) => U(r, e));
			return [
				a === "products" ? s[0] : s.join(" + "),
				s.length > 1 && !o && a !== "products" && `mean of ${s.length} heads`,
				n === "special" && "special tokens hidden, rows renormalised",
				n === "first" && "first token hidden, rows renormalised",
				i && !o && a !== "products" && "log scale"
			].filter(Boolean).join(" · ");
		}), this.ground = z(() => {
			let { theme: t } = e.state.value;
			return t === "system" ? n.value ? "dark" : "light" : t;
		}), this.ask();
	}
	get heads() {
		let e = this.step.value;
		return this.source.info.layers.flatMap(({ heads: t, call: n }, r) => n === e ? t.map((e, t) => [r, t]) : []);
	}
	get steps() {
		return 1 + Math.max(...this.source.info.layers.map((e) => e.call));
	}
	get stepName() {
		let e = this.step.value, t = this.source.info.provenance.training_steps;
		return Array.isArray(t) ? `training step ${t[e]} (${e + 1} of ${this.steps})` : `step ${e + 1} of ${this.steps}`;
	}
	go(e) {
		let { layers: t } = this.source.info, n = this.store.now.heads.flatMap(([n, r]) => {
			let i = t.findIndex((r) => r.number === t[n].number && r.call === e);
			return i < 0 ? [] : [[i, r]];
		}), r = t.findIndex((t) => t.call === e), i = Array.isArray(this.source.info.provenance.training_steps) && n.length;
		this.store.set({
			heads: n.length ? n : [[r, 0]],
			...i ? {} : {
				query: null,
				key: null
			}
		});
	}
	change(e) {
		let { heads: t, text: n, query: r, key: i, unit: a } = this.store.now, s = (r, i) => {
			if (!r) return null;
			let [s, c] = [a, e].map((e) => o(this.source.info, t[0][0], i, n, e).spans), [l, u] = [s[r[0]][0], s[r[1] - 1][1]], d = c.flatMap(([e, t], n) => e < u && t > l ? [n] : []);
			return d.length ? [d[0], d[d.length - 1] + 1] : null;
		};
		this.store.set({
			unit: e,
			query: s(r, 0),
			key: s(i, 1)
		});
	}
	isHidden(e) {
		let { hide: t } = this.store.state.value;
		return t === "special" ? this.keySpecial.value.slice(...e).some(Boolean) : t === "first" && e[0] <= this.keyFirst.value && e[1] > this.keyFirst.value;
	}
	scale(e = this.most.value) {
		return Nl(e, this.store.state.value.log, this.ground.value);
	}
	ask() {
		let { store: e, source: t } = this, n = (e) => this.stops.push(B(() => {
			let t = new AbortController();
			return this.error.value = null, e(t.signal)?.catch((e) => {
				e.name !== "AbortError" && (this.error.value = e.message);
			}), () => t.abort();
		})), r = (e, t) => n((n) => {
			let r = t(n);
			r || (e.value = null);
			let i = r && setTimeout(() => e.value = null, xu);
			return i && n.addEventListener("abort", () => clearTimeout(i)), r?.then((t) => {
				clearTimeout(i), e.value = t;
			}, (t) => {
				throw t.name !== "AbortError" && (e.value = null), t;
			});
		});
		r(this.row, (n) => {
			let [r, i] = [e.lens.value, this.queried.value];
			return i && t.rows(r, ...i, n);
		}), r(this.column, (n) => {
			let [r, i] = [e.lens.value, e.key.value];
			return i && t.columns(r, ...i, n);
		}), r(this.looks, (n) => {
			let [r, i, a] = [
				e.lens.value,
				e.query.value,
				e.key.value
			], o = a && this.queryWords.value.length <= bu ? [0, this.queryWords.value.length] : null, s = i ?? o;
			return s && t.looks(r, s, a, n);
		}), n((n) => {
			let r = e.whole.value;
			this.step.value, this.statistics.value = /* @__PURE__ */ new Map();
			let i = /* @__PURE__ */ new Map(), a = !1, o = () => {
				a = !1, n.aborted || (this.statistics.value = new Map(i));
			};
			return Promise.all(this.heads.map(async (e) => {
				i.set(e.join("."), await t.statistics(e, r, n)), a || setTimeout(o, Cu), a = !0;
			})).then(() => void 0);
		});
	}
	close() {
		for (let e of this.stops) e();
	}
}, Tu = [
	({ body: e }) => e.dataset.jpThemeLight ? e.dataset.jpThemeLight === "false" : null,
	({ body: e }) => e.dataset.vscodeThemeKind ? /dark|high-contrast$/.test(e.dataset.vscodeThemeKind) : null,
	({ body: e }) => e.matches(".dark-theme, .light-theme") ? e.matches(".dark-theme") : null,
	({ documentElement: e }) => e.hasAttribute("theme") ? e.getAttribute("theme") === "dark" : null
];
function Eu(e) {
	let t = window.matchMedia("(prefers-color-scheme: dark)"), n = R(!1), r = () => {
		let r = Tu.map((t) => t(e)).find((e) => e !== null);
		n.value = r ?? t.matches;
	};
	r(), t.addEventListener("change", r);
	let i = new MutationObserver(r);
	for (let t of [e.body, e.documentElement]) i.observe(t, {
		attributes: !0,
		attributeFilter: [
			"class",
			"theme",
			"data-jp-theme-light",
			"data-vscode-theme-kind"
		]
	});
	return {
		isDark: n,
		close() {
			t.removeEventListener("change", r), i.disconnect();
		}
	};
}
// src/host/mount.tsx
function Du(e, t, n) {
	let r = new sn(an(n, Zt), (e) => Su(e, t.info)), i = Eu(e.ownerDocument), a = new wu(r, t, i.isDark);
	return e.textContent = "", e.classList.add("clearhead-root"), Ke(/* @__PURE__ */ W(vu, { model: a }), e), {
		model: a,
		close() {
			Ke(null, e), a.close(), t.close(), i.close();
		}
	};
}
async function Ou(e) {
	let t = document.getElementById("clearhead");
	try {
		let { source: n, start: r } = await e(), { model: i } = Du(t, n, r);
		i.store.follow(window), B(() => void (document.documentElement.dataset.theme = i.ground.value));
		let a = n.info.texts.tokens?.[0]?.text ?? "";
		document.title = [
			a.length > 40 ? `${a.slice(0, 40)}…` : a,
			n.info.title,
			"clearhead"
		].filter(Boolean).join(" – ");
	} catch (e) {
		t.textContent = e instanceof Error ? e.message : String(e), t.setAttribute("role", "alert");
	}
}
// src/host/page.ts
function ku(e) {
	let t = Uint8Array.fromBase64;
	if (t) return t(e);
	let n = atob(e), r = new Uint8Array(n.length);
	for (let e = 0; e < r.length; e++) r[e] = n.charCodeAt(e);
	return r;
}
function Au() {
	return Ou(async () => {
		let e = (e) => document.getElementById(e)?.textContent ?? "", t = JSON.parse(e("options")), n = await ie(ku(e("capture").trim()), t);
		return document.getElementById("capture")?.remove(), {
			source: n,
			start: t.start
		};
	});
}
// src/data/remote.ts
var ju = 400, Mu = [
	250,
	500,
	1e3,
	2e3,
	4e3
], Nu = 2;
function Pu({ heads: e, unit: t, hide: n, text: r }) {
	return {
		heads: e.map((e) => e.join(".")).join(","),
		unit: t,
		hide: n,
		text: r
	};
}
async function Fu(e, t, n) {
	let r = new URLSearchParams(Object.entries(t).map(([e, t]) => [e, String(t)]));
	for (let t = 0;; t++) {
		let i;
		try {
			i = await fetch(`${e}?${r}`, {
				signal: n,
				credentials: "omit",
				cache: "no-store"
			});
		} catch (e) {
			throw e.name === "AbortError" ? e : Error("The server does not answer: was it stopped?");
		}
		if (i.ok) return i;
		let { error: a } = await i.json().catch(() => ({}));
		if (i.status !== 429 && i.status !== 503 || t === Mu.length) throw Error(a ?? `The server answers ${i.status}.`);
		await zu(Mu[t], n);
	}
}
function Iu(e, t) {
	return [new Int32Array(e, 0, t), new Float32Array(e, 4 * t)];
}
function Lu(e, t) {
	let n = Array(e).fill(!1);
	for (let e of t) n[e] = !0;
	return n;
}
function Ru({ pieces: e, special: t, word_of: n, words: r, word_special: i }) {
	return {
		text: "",
		pieces: e,
		offsets: [],
		special: Lu(e.length, t),
		padding: [],
		word_of: n,
		words: r,
		word_special: Lu(r.length, i)
	};
}
var zu = (e, t) => new Promise((n, r) => {
	let i = () => {
		clearTimeout(a), r(new DOMException("no longer wanted", "AbortError"));
	}, a = setTimeout(() => {
		t?.removeEventListener("abort", i), n();
	}, e);
	t?.aborted ? i() : t?.addEventListener("abort", i, { once: !0 });
});
function Bu(e) {
	let t = [], n = 0;
	return async (r, i) => {
		n >= e ? await new Promise((e) => t.push(e)) : n++;
		try {
			return i?.throwIfAborted(), await r();
		} finally {
			let e = t.shift();
			e ? e() : n--;
		}
	};
}
async function Vu() {
	let e = await (await Fu("info", {})).json(), t = {
		...e,
		texts: {
			tokens: e.texts.tokens?.map(Ru) ?? null,
			source_tokens: e.texts.source_tokens?.map(Ru) ?? null
		}
	}, n = R(null), r = Bu(Nu), i = 0;
	async function a(e, t) {
		i++;
		try {
			for (;;) {
				let r = await (await Fu("progress", Pu(e), t)).json();
				if (n.value = r, r.done === r.of) return;
				await zu(ju, t);
			}
		} finally {
			--i || (n.value = null);
		}
	}
	async function o(e, t, n, r, i) {
		let [[s, c, l, u], d] = Iu(await (await Fu("tile", {
			...Pu(e),
			level: t,
			y: n,
			x: r
		}, i)).arrayBuffer(), 4), f = d.slice(0, s * c), p = u ? d.slice(s * c) : f;
		return l ? {
			rows: s,
			columns: c,
			mean: f,
			max: p,
			preview: { exact: async (i) => (await a(e, i), o(e, t, n, r, i)) }
		} : {
			rows: s,
			columns: c,
			mean: f,
			max: p
		};
	}
	let s = async (e, t, n) => new Float32Array(await (await Fu(e, t, n)).arrayBuffer());
	return {
		info: t,
		progress: n,
		rows: (e, t, n, r) => s("rows", {
			...Pu(e),
			from: t,
			to: n
		}, r),
		columns: (e, t, n, r) => s("columns", {
			...Pu(e),
			from: t,
			to: n
		}, r),
		tile: o,
		async products([e, t], n, r, i) {
			let a = await (await Fu("products", {
				layer: e,
				head: t,
				text: n,
				query: r,
				key: i
			})).json();
			return {
				products: a.products && Float32Array.from(a.products, (e) => e ?? NaN),
				weight: a.weight ?? NaN
			};
		},
		async looks(e, t, n, r) {
			let i = {
				...Pu(e),
				from: t[0],
				to: t[1]
			};
			return n && Object.assign(i, {
				first: n[0],
				last: n[1]
			}), (await (await Fu("looks", i, r)).json()).map((e) => ({
				...e,
				weight: e.weight ?? NaN
			}));
		},
		async statistics(e, t, n) {
			let [[i, a, o, s], c] = Iu(await (await r(() => Fu("statistics", Pu({
				...t,
				heads: [e]
			}), n), n)).arrayBuffer(), 4), [l, u, d, f] = c;
			return {
				entropy: l,
				distance: u,
				first: d,
				previous: f,
				sampled: [i, a],
				thumbnail: c.slice(4),
				side: [o, s]
			};
		},
		close() {
			n.value = null;
		}
	};
}
// src/host/server.ts
function Hu() {
	return Ou(async () => ({
		source: await Vu(),
		start: ""
	}));
}
// src/style.css?inline
var Uu = ".clearhead-root{height:100%;container:clearhead/size}.clearhead{--paper:#fff;--ink:#15181c;--quiet:#5c646e;--line:#d5dae0;--soft:#f3f5f7;--query:#b34700;--key:#00699e;--bar:#2b62a8;--minus:#b34700;background:var(--paper);height:100%;color:var(--ink);box-sizing:border-box;grid-template:\"header header header\"\"overview main inspector\"minmax(0,1fr)\"footer footer footer\"/minmax(200px,300px) minmax(0,1fr) minmax(200px,280px);font:14px/20px system-ui,sans-serif;display:grid}.clearhead[data-theme=dark]{--paper:#111418;--ink:#e8ebee;--quiet:#a3abb5;--line:#363c44;--soft:#1a1f25;--query:#ffa05c;--key:#66bdf0;--bar:#6f96d6;--minus:#ffa05c;--lightningcss-light: ;--lightningcss-dark:initial;color-scheme:dark}.clearhead *,.clearhead :before{box-sizing:inherit}.clearhead :is(h1,h2,h3,p,ol,figure,dl,dd){margin:0;padding:0}.clearhead h1,.clearhead h2{overflow-wrap:anywhere;font-size:16px;line-height:24px}.clearhead h3{color:var(--quiet);margin-top:16px;font-size:14px;font-weight:400}.clearhead ol{list-style:none}.clearhead button,.clearhead select,.clearhead input{font:inherit;color:inherit}.clearhead :focus-visible{outline:2px solid var(--key);outline-offset:1px}.clearhead .unseen{clip-path:inset(50%);width:1px;height:1px;position:absolute;overflow:hidden}.clearhead .hint,.clearhead .quiet,.clearhead small{color:var(--quiet);fill:var(--quiet);font-size:12px}.clearhead header{border-bottom:1px solid var(--line);grid-area:header;justify-content:space-between;gap:16px;padding:8px 16px;display:flex}.clearhead .plain{color:var(--key);cursor:pointer;background:0 0;border:0;text-decoration:underline}.clearhead .overview{contain:content;border-right:1px solid var(--line);grid-area:overview;padding:12px;overflow:auto}.clearhead .heads{grid-template-columns:repeat(auto-fill,minmax(72px,1fr));gap:4px;margin:8px 0;display:grid}.clearhead .heads.is-grid{gap:2px}.clearhead .head{text-align:left;cursor:pointer;background:0 0;border:1px solid #0000;width:100%;padding:2px;font-size:11px;line-height:14px}.clearhead .head:hover{border-color:var(--line)}.clearhead .head.is-chosen{border-color:var(--ink)}.clearhead .head .says{color:var(--quiet);text-overflow:ellipsis;white-space:nowrap;display:block;overflow:hidden}.clearhead .is-grid .name{text-align:center;font-size:9px;line-height:11px;display:block;overflow:hidden}.clearhead .is-grid li.quiet{align-self:center;padding-right:4px;font-size:10px}.clearhead .below{flex-wrap:wrap;align-items:center;gap:4px 16px;display:flex}.clearhead .below .hint{flex:1 0 100%}.clearhead .find{align-items:center;gap:8px;padding:2px 0;display:flex}.clearhead .chosen{text-overflow:ellipsis;white-space:nowrap;text-align:right;min-width:0;color:var(--quiet);flex:1;overflow:hidden}.clearhead .find input{border:1px solid var(--line);background:var(--paper);width:128px;padding:1px 6px}.clearhead .find input::placeholder{color:var(--quiet)}.clearhead .thumbnail{aspect-ratio:1;width:100%;image-rendering:pixelated;background:var(--soft);display:block}.clearhead main{flex-direction:column;grid-area:main;min-height:0;display:flex}.clearhead .words{contain:content;flex-shrink:0;padding:12px 16px 8px}.clearhead .lines{-webkit-user-select:none;user-select:none;max-height:136px;position:relative;overflow:auto}.clearhead .line{flex-wrap:wrap;gap:4px 2px;margin-bottom:4px;display:flex}.clearhead .side{color:var(--quiet);margin-right:8px}.clearhead .chip{text-overflow:ellipsis;white-space:nowrap;cursor:pointer;-webkit-user-select:none;user-select:none;background:0 0;border:1px solid #0000;border-bottom-width:2px;max-width:100%;padding:2px 5px;overflow:hidden}.clearhead .chip:hover{border-color:var(--line)}.clearhead .chip.is-query{border-color:var(--query)}.clearhead .chip.is-key{border-color:var(--key)}.clearhead .chip.is-query.is-key{border-bottom-color:var(--query)}.clearhead .bar-of-views{border-bottom:1px solid var(--line);align-items:center;gap:16px;padding:0 16px;display:flex}.clearhead .tabs{gap:16px;display:flex}.clearhead [role=tab]{cursor:pointer;color:var(--quiet);background:0 0;border:0;border-bottom:2px solid #0000;padding:4px 0}.clearhead [role=tab][aria-selected=true]{border-color:var(--ink);color:var(--ink)}.clearhead .view{flex:1;min-height:0;padding:12px 16px;overflow:auto}.clearhead .matrix{flex-direction:column;height:100%;min-height:240px;display:flex}.clearhead .matrix canvas{touch-action:none;cursor:crosshair;flex:1;width:100%;min-height:0}.clearhead figcaption{flex-wrap:wrap;justify-content:space-between;align-items:center;gap:4px 16px;padding-top:8px;font-size:12px;display:flex}.clearhead figcaption.text{max-width:640px;font-size:14px;display:block}.clearhead .legend{color:var(--quiet);flex-wrap:wrap;align-items:center;gap:6px;font-size:12px;display:inline-flex}.clearhead .ramp{border:1px solid var(--line);width:96px;height:10px;display:inline-block}.clearhead .arcs svg{width:100%;max-width:820px;display:block}.clearhead .arcs text,.clearhead .products text{fill:var(--ink);cursor:pointer;font-size:13px}.clearhead .arcs text.is-query{fill:var(--query);font-weight:700}.clearhead .arcs text.is-key{fill:var(--key);font-weight:700}.clearhead .key i{vertical-align:middle;width:16px;height:4px;display:inline-block}.clearhead .products svg{width:100%;max-width:820px}.clearhead .image svg{width:100%;max-width:760px;display:block}.clearhead .image text{font-size:12px}.clearhead .patch{fill:var(--paper);stroke-width:2px;cursor:pointer}.clearhead .patch:hover{stroke:var(--quiet)}.clearhead .patch.is-query{stroke:var(--query)}.clearhead .patch.is-key{stroke:var(--key)}.clearhead .axis{stroke:var(--line)}.clearhead .adds{fill:var(--bar)}.clearhead .takes{fill:var(--minus)}.clearhead .empty{color:var(--quiet);max-width:480px}.clearhead .inspector{border-left:1px solid var(--line);grid-area:inspector;padding:12px 16px;overflow:auto}.clearhead .bars button{text-align:left;cursor:pointer;background:0 0;border:0;grid-template-columns:minmax(0,1fr) 64px 52px;gap:6px;width:100%;padding:0;font-size:13px;display:grid}.clearhead .bars button.is-marked{font-weight:700}.clearhead .bars .label{text-overflow:ellipsis;white-space:nowrap;overflow:hidden}.clearhead .bars .bar span{background:var(--bar);height:8px;margin-top:6px;display:block}.clearhead .bars .number{font-variant-numeric:tabular-nums;text-align:right}.clearhead footer{border-top:1px solid var(--line);flex-wrap:wrap;grid-area:footer;gap:8px 24px;padding:8px 16px;display:flex}.clearhead .field{color:var(--quiet);align-items:center;gap:8px;font-size:12px;display:inline-flex}.clearhead footer button{border:1px solid var(--line);background:var(--paper);cursor:pointer;margin-right:4px;padding:2px 8px}.clearhead footer button:hover{background:var(--soft)}.clearhead select{border:1px solid var(--line);background:var(--paper);color:var(--ink);padding:2px 4px}.clearhead dialog{border:1px solid var(--line);background:var(--paper);max-width:560px;max-height:90%;color:var(--ink);padding:16px 24px;overflow:auto}.clearhead dialog dl div{gap:16px;display:flex}.clearhead dialog dt{width:88px}.clearhead dialog p,.clearhead dialog dl{margin:8px 0 16px}.clearhead .error{border:1px solid var(--query);background:var(--paper);padding:8px 16px;position:fixed;bottom:48px;left:16px}@container clearhead (width<=900px){.clearhead{grid-template:\"header\"\"main\"minmax(480px,auto)\"inspector\"\"overview\"\"footer\"/minmax(0,1fr);height:auto}.clearhead .overview,.clearhead .inspector{border:0;border-top:1px solid var(--line)}.clearhead .view{overflow:visible}.clearhead .matrix{height:90cqw;max-height:80cqh}}", Wu = "\n:host { all: initial !important; display: block !important; }\n.clearhead-root { overflow: auto; outline: none; border: 1px solid #8884; box-sizing: border-box; }\n";
async function Gu({ model: e, el: t }) {
	let n = t.appendChild(t.ownerDocument.createElement("div"));
	n.dataset.lmSuppressShortcuts = "true";
	let r = n.attachShadow({ mode: "open" }), i = new CSSStyleSheet();
	i.replaceSync(Uu + Wu), r.adoptedStyleSheets = [i];
	let a = r.appendChild(t.ownerDocument.createElement("div"));
	a.tabIndex = -1;
	let o = [() => n.remove()], s = () => {
		for (let e of o.splice(0).reverse()) e();
	}, c = (t, n) => {
		e.on(t, n), o.push(() => e.off(t, n)), n();
	};
	c("change:height", () => a.style.height = `${e.get("height")}px`), r.addEventListener("keydown", (e) => e.stopPropagation()), r.addEventListener("wheel", (e) => r.activeElement || e.ctrlKey || e.metaKey || e.stopPropagation(), {
		capture: !0,
		passive: !0
	});
	try {
		let t = e.get("_capture"), { model: n, close: r } = Du(a, await ie(new Uint8Array(t.buffer, t.byteOffset, t.byteLength).slice(), e.get("_beside")), "");
		o.push(r);
		let { store: i } = n;
		c("change:selection", () => {
			e.get("selection") !== i.hash && (i.hash = e.get("selection"));
		}), o.push(B(() => {
			let { hash: t } = i;
			t !== e.get("selection") && (e.set("selection", t), e.save_changes());
		}));
	} catch (e) {
		a.textContent = e instanceof Error ? e.message : String(e), a.setAttribute("role", "alert");
	}
	return s;
}
// src/host/viewer.ts
({
	page: Au,
	server: Hu
})[document.documentElement.dataset.host ?? ""]?.();
var Ku = { render: Gu };
export { Ku as default };
