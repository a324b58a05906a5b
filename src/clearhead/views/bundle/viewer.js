// src/weights/worker.ts?worker&inline
var e = "(function(){var e=class extends Error{},t=class{bytes;header;places;decoded=/* @__PURE__ */ new Map;constructor(t,r){this.bytes=t;let i=t.length<8?1/0:Number(new DataView(t.buffer,t.byteOffset).getBigUint64(0,!0));if(8+i>t.length)throw new e(`this is no capture: it is no whole safetensors file`);let a=JSON.parse(new TextDecoder().decode(t.subarray(8,8+i))),o=a.__metadata__;if(!o?.clearhead)throw new e(`this is no capture: the safetensors file has no clearhead header`);if(this.header=JSON.parse(o.clearhead),this.header.version!==1)throw new e(`the capture has the format version ${this.header.version}; this viewer reads 1`);delete a.__metadata__,this.places=a,this.start=8+i,this.header.tokens?.forEach((e,t)=>Object.assign(e,r?.[t]??n(e)))}start;tensor(t){let n=this.decoded.get(t);if(n)return n;let i=this.places[t];if(!i)throw new e(`the capture lacks the tensor ${t}`);let[a,o]=i.data_offsets,s={shape:i.shape,data:r(this.bytes.slice(this.start+a,this.start+o),i.dtype)};return this.decoded.set(t,s),s}};function n(e){return{word_of:e.pieces.map((e,t)=>t),words:e.pieces,word_special:e.special}}function r(t,n){switch(n){case`F32`:return new Float32Array(t.buffer);case`F64`:return new Float64Array(t.buffer);case`I32`:return new Int32Array(t.buffer);case`I64`:return Float64Array.from(new BigInt64Array(t.buffer),Number);case`BOOL`:return t;case`BF16`:return new Float32Array(Uint32Array.from(new Uint16Array(t.buffer),e=>e<<16).buffer);case`F16`:return Float32Array.from(new Uint16Array(t.buffer),i);default:throw new e(`the capture has numbers of the kind ${n}, which is not known here`)}}function i(e){let t=e&32768?-1:1,n=e>>10&31,r=e&1023;return n===31?r?NaN:t*(1/0):t*(n?2**(n-15)*(1+r/1024):2**-24*r)}function a(e,t,n,r){let[i,a,o]=e;return((i===1?0:t)*a+(a===1?0:n))*o+(o===1?0:r)}function o(e,t){if(t.kind===`both`){let[n,r]=t.parts.map(t=>o(e,t));return(e,t,i)=>{let a=n(e,t,i),o=r(e,t,i);return e=>a(e)&&o(e)}}if(t.kind===`explicit`){let{shape:n,data:r}=e.tensor(t.allowed);return(e,t,i)=>{let o=a(n,e,t,i)*n[3];return e=>r[o+e]!==0}}let n=e.tensor(t.starts),r=e.tensor(t.stops),i=t.present===void 0?null:e.tensor(t.present);return(e,t,o)=>{let s=n.data[a(n.shape,e,t,o)],c=r.data[a(r.shape,e,t,o)];if(!i)return e=>s<=e&&e<c;let[l,u,d]=i.shape,f=((l===1?0:e)*u+(u===1?0:t))*d;return e=>s<=e&&e<c&&i.data[f+e]!==0}}var s=class{capture;header;batch;queries;keys;allowed;constructor(e,t,n){this.capture=e,this.header=t,this.batch=n,[,,this.queries,this.keys]=t.shape,this.allowed=t.mask&&t.kind===`factored`?o(e,t.mask):null}part(e){let t=this.header.tensors[e];return t===void 0?null:this.capture.tensor(t)}tile(e,t,n,r,i){let o=new Float32Array(n*i),{header:s,batch:l}=this,[,u,d,f]=s.shape;if(s.kind===`stored`){let{data:a}=this.part(`weights`);for(let s=0;s<n;s++){let n=((l*u+e)*d+t+s)*f+r;for(let e=0;e<i;e++)o[s*i+e]=a[n+e]}return o}let p=this.part(`q`),m=this.part(`k`),h=this.part(`lse`).data,g=this.part(`bias`),_=p.shape[3],v=Math.floor(e/(u/m.shape[1])),y=(l*m.shape[1]+v)*f;for(let v=0;v<n;v++){let n=t+v,b=(l*u+e)*d+n,x=h[b];if(x===-1/0)continue;let S=this.allowed?.(l,e,n),C=g?a(g.shape,l,e,n)*f:0;for(let e=0;e<i;e++){let t=r+e;if(S&&!S(t))continue;let n=s.scale*c(p.data,b*_,m.data,(y+t)*_,_);s.softcap!==null&&(n=s.softcap*Math.tanh(n/s.softcap)),g&&(n+=g.data[C+t]),o[v*i+e]=Math.exp(n-x)}}return o}products(e,t,n){let r=this.part(`q`),i=this.part(`k`);if(!r||!i||this.header.kind===`stored`)return null;let[,a,o,s]=this.header.shape,c=r.shape[3],l=Math.floor(e/(a/i.shape[1])),u=((this.batch*a+e)*o+t)*c,d=((this.batch*i.shape[1]+l)*s+n)*c;return Float32Array.from({length:c},(e,t)=>this.header.scale*r.data[u+t]*i.data[d+t])}};function c(e,t,n,r,i){let a=0;for(let o=0;o<i;o++)a+=e[t+o]*n[r+o];return a}function l(e,t,n){let r=e&&e.pieces.length===t?e:null;if(!r||n===`pieces`){let e=Array.from({length:t},(e,t)=>[t,t+1]);return{spans:e,special:e.map((e,t)=>r?.special[t]??!1)}}let i=[];return r.word_of.forEach((e,t)=>{e<0||(i[e]?i[e][1]=t+1:i[e]=[t,t+1])}),{spans:i,special:r.word_special}}var u=class{rows;columns;maps;hidden;constructor(e,t){let{layers:n,tokens:r}=e.header;this.maps=t.heads.map(([r,i])=>({weights:new s(e,n[r].map,t.text),head:i}));let[i]=this.maps,a=r?.[t.text]??null;this.rows=l(a,i.weights.queries,t.unit),this.columns=l(a,i.weights.keys,t.unit);let o=t.hide===`special`?e=>this.columns.special[e]:e=>e===0;this.hidden=t.hide===`nothing`?[]:this.columns.spans.map((e,t)=>t).filter(o)}block(e,t,n,r){let i=new Float32Array(t*r);for(let a of this.maps)this.add(i,a,e,t,n,r);if(this.maps.length>1)for(let e=0;e<i.length;e++)i[e]/=this.maps.length;return i}add(e,t,n,r,i,a){let o=this.columns.spans[i][0],s=this.columns.spans[i+a-1][1]-o;for(let c=0;c<r;c++){let[r,l]=this.rows.spans[n+c],u=t.weights.tile(t.head,r,l-r,o,s),d=this.hidden.length?this.left(t,r,l):null;for(let t=0;t<l-r;t++){let n=(d?d[t]>1e-6?1/d[t]:0:1)/(l-r);for(let r=0;r<a;r++){let[l,d]=this.columns.spans[i+r],f=0;for(let e=l;e<d;e++)f+=u[t*s+e-o];e[c*a+r]+=f*n}}}if(this.hidden.length){let t=new Set(this.hidden);for(let n=0;n<a;n++)if(t.has(i+n))for(let t=0;t<r;t++)e[t*a+n]=0}}left(e,t,n){let r=new Float32Array(n-t).fill(1);for(let i of this.hidden){let[a,o]=this.columns.spans[i];e.weights.tile(e.head,t,n-t,a,o-a).forEach((e,t)=>r[Math.floor(t/(o-a))]-=e)}return r}meanOfRows(e,t){let n=this.columns.spans.length,r=this.block(e,t-e,0,n);return Float32Array.from({length:n},(i,a)=>{let o=0;for(let i=0;i<t-e;i++)o+=r[i*n+a];return o/(t-e)})}sumOfColumns(e,t){let n=this.rows.spans.length,r=this.block(0,n,e,t-e);return Float32Array.from({length:n},(n,i)=>{let a=0;for(let n=0;n<t-e;n++)a+=r[i*(t-e)+n];return a})}look(e,t){if(t)return[this.sum(this.block(e[0],e[1]-e[0],t[0],t[1]-t[0]))/(e[1]-e[0]),t[0]];let n=this.meanOfRows(...e),r=-1;return n.forEach((t,i)=>{!(i>=e[0]&&i<e[1])&&!this.columns.special[i]&&(r<0||t>n[r])&&(r=i)}),r<0?[0,0]:[n[r],r]}sum(e){return e.reduce((e,t)=>e+t,0)}tile(e,t,n){let r=2**e,[i,a]=[this.rows.spans.length,this.columns.spans.length],[o,s]=[t*256*r,n*256*r],c=Math.min(256*r,a-s),l=Math.ceil(Math.min(256*r,i-o)/r),u=Math.ceil(c/r),d=new Float32Array(l*u),f=e?new Float32Array(l*u):d;if(!e)return d.set(this.block(o,l,s,c)),{rows:l,columns:u,mean:d,max:f};for(let e=0;e<l;e++){let t=Math.min(r,i-o-e*r),n=this.block(o+e*r,t,s,c);for(let i=0;i<u;i++){let a=Math.min((i+1)*r,c),o=0,s=0;for(let e=0;e<t;e++)for(let t=i*r;t<a;t++){let r=n[e*c+t];o+=r,r>s&&(s=r)}d[e*u+i]=o/(t*(a-i*r)),f[e*u+i]=s}}return{rows:l,columns:u,mean:d,max:f}}statistics(){let[e,t]=[this.rows.spans.length,this.columns.spans.length],n=Math.min(e,96),r=[Math.min(e,48),Math.min(t,48)],i=new Float32Array(r[0]*r[1]),[a,o,s,c]=[0,0,0,0];for(let l=0;l<n;l++){let u=Math.floor((l+.5)*e/n),d=this.block(u,1,0,t),f=u+t-e,p=Math.floor(u*r[0]/e);d.forEach((e,n)=>{e>0&&(a-=e*Math.log(e)),o+=e*Math.abs(n-f);let s=p*r[1]+Math.floor(n*r[1]/t);e>i[s]&&(i[s]=e)}),s+=d[0],f>0&&(c+=d[f-1]??0)}let l=[n,e];return{entropy:a/n,distance:o/n,first:s/n,previous:c/n,sampled:l,thumbnail:i,side:r}}};let d;function f(){let{header:e}=d,t=new Set(e.layers.filter(e=>e.call>0).map(e=>e.number));return{title:String(e.provenance.model??`a model`),provenance:e.provenance,texts:e.tokens,batch:e.layers[0]?.map.shape[0]??0,layers:e.layers.map(({path:e,call:n,number:r,heads:i,map:a})=>({path:e,call:n,number:r,heads:i,label:`L${r}${n||t.has(r)?`@${n}`:``}`,queries:a.shape[2],keys:a.shape[3],hasProducts:a.kind===`factored`}))}}function p(e,t,n){let[r]=e.heads,i=d.header.layers[r[0]].map.shape;return d.header.layers.flatMap(({map:r},a)=>r.shape[2]!==i[2]||r.shape[3]!==i[3]?[]:Array.from({length:r.shape[1]},(r,i)=>{let[o,s]=new u(d,{...e,heads:[[a,i]]}).look(t,n);return{head:[a,i],weight:o,key:s}}))}function m(e){switch(e.kind){case`open`:return d=new t(e.bytes,e.words),f();case`rows`:return new u(d,e.lens).meanOfRows(e.from,e.to);case`columns`:return new u(d,e.lens).sumOfColumns(e.from,e.to);case`tile`:return new u(d,e.lens).tile(e.level,e.y,e.x);case`looks`:return p(e.lens,e.query,e.key);case`statistics`:return new u(d,e.lens).statistics();case`products`:{let{head:t,text:n,query:r,key:i}=e,a=new s(d,d.header.layers[t[0]].map,n);return{products:a.products(t[1],r,i),weight:a.tile(t[1],r,1,i,1)[0]}}}}let h=[],g=[],_=!1,{port1:v,port2:y}=new MessageChannel;y.onmessage=()=>{let e=h.shift()??g.shift();if(!e?.question){_=!1;return}let t={id:e.id};try{t.value=m(e.question)}catch(e){t.error=e instanceof Error?e.message:String(e)}self.postMessage(t),v.postMessage(null)},self.onmessage=({data:e})=>{if(e.question)(e.question.kind===`statistics`?g:h).push(e),_||(_=!0,v.postMessage(null));else for(let t of[h,g]){let n=t.findIndex(({id:t})=>t===e.id);n>=0&&t.splice(n,1)}}})();", t = typeof self < "u" && self.Blob && new Blob(["(self.URL || self.webkitURL).revokeObjectURL(self.location.href);", e], { type: "text/javascript;charset=utf-8" });
function n(n) {
	let r;
	try {
		if (r = t && (self.URL || self.webkitURL).createObjectURL(t), !r) throw "";
		let e = new Worker(r, { name: n?.name });
		return e.addEventListener("error", () => {
			(self.URL || self.webkitURL).revokeObjectURL(r);
		}), e;
	} catch {
		return new Worker("data:text/javascript;charset=utf-8," + encodeURIComponent(e), { name: n?.name });
	}
}
// src/weights/local.ts
async function r(e, t) {
	let r = new n(), i = /* @__PURE__ */ new Map(), a = 0;
	r.onmessage = ({ data: e }) => {
		let t = i.get(e.id);
		i.delete(e.id), e.error === void 0 ? t?.done(e.value) : t?.fail(Error(e.error));
	};
	let o = (e, t, n = []) => new Promise((o, s) => {
		let c = ++a;
		i.set(c, {
			done: o,
			fail: s
		}), r.postMessage({
			id: c,
			question: e
		}, n), t?.addEventListener("abort", () => {
			i.delete(c) && (r.postMessage({
				id: c,
				question: null
			}), s(new DOMException("no longer wanted", "AbortError")));
		});
	});
	return {
		info: await o({
			kind: "open",
			bytes: e,
			words: t
		}, void 0, [e.buffer]),
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
		close: () => r.terminate()
	};
}
// node_modules/preact/dist/preact.mjs
var i, a, o, s, c, l, u, d, f, p, m, h = Symbol.for("pv"), g = {}, _ = [], v = /^m(i|n|o|s|text|space)$/, y = Array.isArray, b = _.slice, x = Object.assign;
function S(e) {
	e && e.parentNode && e.remove();
}
function C(e, t, n) {
	var r, i, a, o = {}, s = arguments.length;
	for (a in t) a == "key" ? r = t[a] : a == "ref" && typeof e != "function" ? i = t[a] : o[a] = t[a];
	return s > 2 && (o.children = s > 3 ? b.call(arguments, 2) : n), w(e, o, r, i, null);
}
function w(e, t, n, r, o) {
	var s = {
		type: e,
		props: t,
		key: n,
		ref: r,
		__k: null,
		__: null,
		__b: 0,
		__e: null,
		__c: null,
		constructor: h,
		__v: o || ++a,
		__i: -1,
		__u: 0
	};
	return !o && i.vnode && i.vnode(s), s;
}
function T(e) {
	return e.children;
}
function E(e, t) {
	this.props = e, this.context = t, this.__g = 0;
}
function D(e, t) {
	if (t == null) return e.__ && D(e.__, e.__i + 1);
	for (var n; t < e.__k.length; t++) if ((n = e.__k[t]) && n.__e) return n.__e;
	return typeof e.type != "function" || e.props.__P ? null : D(e);
}
function ee(e) {
	var t, n = e.__v, r = n.__e, a = [], o = [], s = e.__P;
	s && ((t = x({ constructor: h }, n)).__v = n.__v + 1, i.vnode && i.vnode(t), oe(s, t, n, e.__n, s.namespaceURI, 32 & n.__u ? [r] : null, a, r || D(n), 32 & n.__u, o), t.__v = n.__v, t.__.__k[t.__i] = t, le(a, t, o), n.__ = n.__e = null, t.__e != r && O(t));
}
function O(e) {
	if ((e = e.__) && e.__c && !e.props.__P) return e.__e = null, e.__k.some(function(t) {
		return t && (e.__e = t.__e);
	}), O(e);
}
function te(e) {
	(8 & e.__g || (e.__g |= 8, s.push(e), l++)) && c == i.debounceRendering || ((c = i.debounceRendering) || queueMicrotask)(ne);
}
function ne() {
	try {
		for (var e, t = 1; s.length;) s.length > t && s.sort(u), e = s.shift(), t = s.length, 8 & e.__g && ee(e);
	} finally {
		(l = s.length) && (c || queueMicrotask)(ne);
	}
}
function re(e, t, n, r, i, a, o, s, c, l, u) {
	var d, f, p, m, h, v, y = r.__k || _, b = t.length;
	for (c = ie(n, t, y, c, b), d = 0; d < b; d++) (p = n.__k[d]) != null && (f = ~p.__i && y[p.__i] || g, p.__i = d, v = oe(e, p, f, i, a, o, s, c, l, u), m = p.__e, (f.ref != p.ref || 8 & f.__u) && (f.ref && de(f.ref, null, p, f), p.ref && u.push(p.ref, p.__c || m, p)), h ||= m, 4 & p.__u ? (c = k(p, c, e, !f.__v), f.__e && (f.__e = null)) : typeof p.type == "function" && v !== void 0 ? c = v : m && (c = m.nextSibling), p.__u &= -21);
	return n.__e = h, c;
}
function ie(e, t, n, r, i) {
	var a, o, s, c, l, u, d, f, p, m = n.length, g = m, _ = 0, v = 0, b = e.__k = Array(i);
	for (a = 0; a < i; a++) (o = t[a]) != null && typeof o != "boolean" && typeof o != "function" ? (typeof o != "object" || o.constructor === String ? o = b[a] = w(null, o) : y(o) ? o = b[a] = w(T, { children: o }) : o.constructor === h && o.__b ? o = b[a] = w(o.type, o.props, o.key, o.ref, o.__v) : b[a] = o, c = a + _, o.__ = e, o.__b = e.__b + 1, s = null, ~(l = o.__i = ae(o, n, c, g)) && (g--, (s = n[l]) && (s.__u |= 2)), s && s.__v ? (o.__u |= 16, l == c - 1 ? _-- : l == c + 1 ? _++ : l != c && (l > c ? _-- : _++, v = 1)) : (~l || (i > m ? _-- : i < m && _++), typeof o.type != "function" && (o.__u |= 4))) : b[a] = null;
	if (v) {
		for (u = [], d = [], a = 0; a < i; a++) if ((o = b[a]) && 16 & o.__u) {
			for (_ = 0, f = u.length; _ < f;) u[p = _ + f >> 1] < o.__i ? _ = p + 1 : f = p;
			u[_] = o.__i, d[a] = _ + 1;
		}
		for (_ = u.length; a--;) d[a] && (d[a] == _ ? _-- : b[a].__u |= 4);
	}
	if (g) for (a = 0; a < m; a++) !(s = n[a]) || 2 & s.__u || (s.__e == r && (r = D(s)), fe(s, s));
	return r;
}
function k(e, t, n, r) {
	var i, a, o, s;
	if (typeof e.type == "function") {
		if (e.props.__P) return t;
		if (i = e.__k) for (a = 0; a < i.length; a++) i[a] && (i[a].__ = e, t = k(i[a], t, n, !1));
		return t;
	}
	for (t && !t.parentNode && (t = D(e)) && !t.parentNode && (t = null), o = e.__e, s = t; s && s.nodeType == 8;) s = s.nextSibling;
	for (o != s && (!r && n.moveBefore && o.parentNode ? n.moveBefore(o, t) : n.insertBefore(o, t || null)), t = o; (t &&= t.nextSibling) && t.nodeType == 8 && !t.data.startsWith("$s"););
	return t;
}
function ae(e, t, n, r) {
	var i, a = e.key, o = e.type, s = t[n], c = s && !(2 & s.__u);
	if (s === null && a == null || c && a == s.key && o == s.type) return n;
	if (r > +!!c) {
		for (i = n - 1; i >= 0; i--) if ((s = t[i]) && !(2 & s.__u) && a == s.key && o == s.type) return i;
		for (i = n + 1; i < t.length; i++) if ((s = t[i]) && !(2 & s.__u) && a == s.key && o == s.type) return i;
	}
	return -1;
}
function A(e, t, n) {
	n ??= "", t[0] == "-" ? e.setProperty(t, n) : e[t] = n;
}
function j(e, t, n, r, i) {
	var a, o;
	if (t == "style") {
		if (typeof n == "string") e.style.cssText = n;
		else {
			if (typeof r == "string" && (e.style.cssText = r = ""), r) for (t in r) n && t in n || A(e.style, t);
			if (n) for (t in n) r && n[t] == r[t] || A(e.style, t, n[t]);
		}
	} else if (t[0] == "o" && t[1] == "n") typeof n != "function" && (n = null), typeof r != "function" && (r = null), (e.__e ||= {})[t] = n, n && r || (o = m[t] || (m[t] = M(t)), (e.__a ||= {})[t] = p, a = t != (t = t.replace(f, "$1")), (t = t.slice(2))[0] < "a" && (t = t.toLowerCase()), n ? e.addEventListener(t, o, a) : e.removeEventListener(t, o, a));
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
function M(e) {
	return function(t) {
		var n = this.__e;
		if (n) {
			if (n = n[e], t[d] == null) t[d] = p++;
			else if (t[d] < this.__a[e]) return;
			return n(i.event ? i.event(t) : t);
		}
	};
}
function oe(e, t, n, r, a, o, s, c, l, u) {
	var d, f, p, m, g, v, b, C, w, ee, O, te, ne, ie, k, ae, A, j, M = t.type;
	if (t.constructor !== h) return null;
	128 & n.__u && (l = 32 & n.__u, d = n.__c.__z) && (t.__u |= l, f = o = [], d.nodeType == 8 ? c = se(d, o) : o.push(d), c = o[0] || c), (d = i.__b) && d(t);
	n: if (typeof M == "function") {
		p = s.length;
		try {
			if (C = t.props, w = (d = M.prototype) && d.render, ee = (d = M.contextType) && r[d.__c], O = d ? ee ? ee.props.value : d.__ : r, (m = n.__c) ? (t.__c = m, 2 & m.__g && (m.__g |= 1)) : (w ? t.__c = m = new M(C, O) : (t.__c = m = new E(C, O), m.constructor = M, m.render = pe), ee && ee.sub(m), m.state || (m.state = {}), m.__n = r, m.__g |= 8, m.__h = [], m.__k = []), w && (m.__s || (m.__s = m.state), M.getDerivedStateFromProps && (m.__s == m.state && (m.__s = x({}, m.__s)), x(m.__s, M.getDerivedStateFromProps(C, m.__s)))), g = m.props, v = m.state, m.__v = t, n.__c) {
				if (C !== g && w && !M.getDerivedStateFromProps && m.componentWillReceiveProps && m.componentWillReceiveProps(C, O), t.__v == n.__v && !(8 & m.__g) || !(4 & m.__g) && m.shouldComponentUpdate && !1 === m.shouldComponentUpdate(C, m.__s, O)) {
					t.__v != n.__v && (m.props = C, m.state = m.__s, m.__g &= -9), t.__e = n.__e, t.__k = n.__k, t.__k.some(function(e) {
						e && (e.__ = t);
					}), _.push.apply(m.__h, m.__k), m.__k = [], m.__h.length && s.push(m), c = D(n);
					break n;
				}
				m.componentWillUpdate && m.componentWillUpdate(C, m.__s, O), w && m.componentDidUpdate && m.__h.push(function() {
					m.componentDidUpdate(g, v, b);
				});
			} else w && !M.getDerivedStateFromProps && m.componentWillMount && m.componentWillMount(), w && m.componentDidMount && m.__h.push(m.componentDidMount);
			m.context = O, m.props = C, m.__P = e, m.__g &= -5, te = i.__r, ne = w ? 25 : 0;
			do
				m.__g &= -9, te && te(t), d = m.render(m.props, m.state = m.__s, m.context);
			while (8 & m.__g && ++ne < 25);
			w && (_.push.apply(m.__h, m.__k), m.__k = []), m.state = m.__s, m.getChildContext && (r = x({}, r, m.getChildContext())), w && n.__c && m.getSnapshotBeforeUpdate && (b = m.getSnapshotBeforeUpdate(g, v)), ie = d && d.type === T && d.key == null ? d.props.children : d, C.__P && (d = c, a = (e = C.__P).namespaceURI, l = o = null, n.props && n.props.__P != e && (n.__k.some(function(e) {
				e && fe(e, e);
			}), n.__k = null), c = n.__k ? D(n, 0) : null), c = re(e, y(ie) ? ie : [ie], t, n, r, a, o, s, c, l, u), C.__P && (t.__e = null, c = d), t.__u &= -161, f && f.some(S), m.__h.length && s.push(m), 1 & m.__g && (m.__g &= -4);
		} catch (e) {
			if (s.length = p, t.__v = null, l || o) {
				if (e && e.then) {
					if (t.__u |= 128 | l, o) {
						for (~(A = o.indexOf(c || void 0)) || (A = o.length); (j = o[A - 1]) && j.nodeType == 8;) A--;
						for (; A < o.length; A++) if (j = o[A]) {
							if (o[A] = null, k) {
								if (j == ae) break;
							} else {
								if (j.nodeType != 8) break;
								j.data.startsWith("$s") && (ae = se(k = j));
							}
						}
					}
					if (!k) {
						for (; c && c.nodeType == 8 && c.nextSibling;) c = c.nextSibling;
						k = c;
					}
					(d = se(k = t.__c.__z || (t.__c.__z = k))) ? (t.__e = k, c = d) : t.__e = c, c &&= c.nextSibling;
				} else o && o.some(S);
			} else t.__e = n.__e;
			t.__k ||= n.__k || [], e && e.then || ce(t), i.__e(e, t, n);
		}
	} else c = t.__e = ue(n.__e, t, n, r, a, o, s, l, u, e);
	return (d = i.diffed) && d(t), c;
}
function se(e, t) {
	if (e && e.nodeType == 8 && e.data.startsWith("$s")) for (var n = 1; e = e.nextSibling;) {
		if (e.nodeType == 8) {
			if (e.data.startsWith("$s")) n++;
			else if (e.data.startsWith("/$s") && !--n) return e;
		}
		t && t.push(e);
	}
}
function ce(e) {
	e && (e.__c && (e.__c.__g |= 4), e.__k && e.__k.some(ce));
}
function le(e, t, n) {
	for (var r = 0; r < n.length;) de(n[r++], n[r++], n[r++]);
	i.__c && i.__c(t, e), e.some(function(t) {
		try {
			e = t.__h, t.__h = [], e.some(function(e) {
				e.call(t);
			});
		} catch (e) {
			i.__e(e, t.__v);
		}
	});
}
function ue(e, t, n, r, a, o, s, c, l, u) {
	var d, f, p, m, h, _, x, C, w = n.props || g, T = t.props, E = t.type;
	if (E == "svg" ? a = "http://www.w3.org/2000/svg" : E == "math" ? a = "http://www.w3.org/1998/Math/MathML" : a ||= "http://www.w3.org/1999/xhtml", o) {
		for (d = 0; d < o.length; d++) if ((h = o[d]) && (E ? h.localName == E : h.nodeType == 3)) {
			e = h, o[d] = null;
			break;
		}
	}
	if (!e) {
		if (C = u.ownerDocument || document, !E) return C.createTextNode(T);
		e = C.createElementNS(a, E, T.is ? T : u), c &&= (i.__m && i.__m(t, o), !1), o = null;
	}
	if (E) {
		if (u = E == "template" && e.content || e, o = E == "textarea" && T.defaultValue != null ? null : o && b.call(u.childNodes), !c && o) for (w = {}, d = 0; d < e.attributes.length; d++) w[(h = e.attributes[d]).name] = h.value;
		for (d in w) h = w[d], d == "dangerouslySetInnerHTML" ? p = h : d == "children" || d in T || d == "value" && "defaultValue" in T || d == "checked" && "defaultChecked" in T || j(e, d, null, h, a);
		for (d in T) h = T[d], d == "children" ? m = h : d == "dangerouslySetInnerHTML" ? f = h : d == "value" ? _ = h : d == "checked" ? x = h : c && typeof h != "function" || w[d] === h || j(e, d, h, w[d], a);
		f ? (c || p && (f.__html == p.__html || f.__html == e.innerHTML) || (e.innerHTML = f.__html), t.__k = []) : (p && (e.textContent = ""), (E == "foreignObject" || a == "http://www.w3.org/1998/Math/MathML" && v.test(E)) && (a = "http://www.w3.org/1999/xhtml"), re(u, y(m) ? m : [m], t, n, r, a, o, s, o ? o[0] : n.__k && D(n, 0), c, l), o && o.some(S)), c && E != "textarea" || (d = "value", E == "progress" && _ == null ? e.removeAttribute(d) : _ == null || _ === e[d] && (E != "progress" || _) || j(e, d, _, w[d], a), d = "checked", x != null && x != e[d] && j(e, d, x, w[d], a));
	} else w === T || c && e.data == T || (e.data = T);
	return e;
}
function de(e, t, n, r) {
	try {
		typeof e == "function" ? t ? t.__x = e(t) || 1 : (r &&= r.__c || r.__e) && (t = r.__x) && (r.__x = null, typeof t == "function" ? t() : e(null)) : e.current = t;
	} catch (e) {
		i.__e(e, n);
	}
}
function fe(e, t, n) {
	var r, a, o, s;
	if (i.unmount && i.unmount(e), !(r = e.ref) || r.current && r.current != e.__e || de(r, null, t, e), r = e.__c) {
		if (r.componentWillUnmount) try {
			r.componentWillUnmount();
		} catch (e) {
			i.__e(e, t);
		}
		r.__P = r.__n = null;
	}
	if (r = e.__k) for (s = 0; s < r.length; s++) r[s] && fe(r[s], t, typeof e.type != "function" || n && !e.props.__P);
	!n && (r = e.__c) && (r = r.__z) && (a = se(r, o = [])) && (r == e.__e && o.some(S), S(a), S(r)), n || S(e.__e), e.__e = e.__c = e.__ = null;
}
function pe(e, t, n) {
	return this.constructor(e, n);
}
function me(e, t) {
	var n, r, a, o;
	i.__ && i.__(e, t), t.nodeType == 9 && (t = t.documentElement), r = (n = e && 32 & e.__u) ? null : t.__k, t.__k = w(T, { children: [e] }), a = [], o = [], oe(t, t.__k, r || g, g, t.namespaceURI, r ? null : t.firstChild ? b.call(t.childNodes) : null, a, r ? r.__e : t.firstChild, n, o), le(a, t.__k, o), t.__k.props.children = null;
}
i = { __e: function(e, t, n, r) {
	for (var i, a, o; t = t.__;) if ((i = t.__c) && !(1 & i.__g)) {
		i.__g |= 4;
		try {
			if ((o = (a = i.constructor) && a.getDerivedStateFromError) && i.setState(a.getDerivedStateFromError(e)), i.componentDidCatch && (i.componentDidCatch(e, r || {}), o = 1), o && 8 & i.__g) return void (i.__g |= 2);
		} catch (t) {
			e = t;
		}
	}
	throw l = 0, e;
} }, a = 0, o = function(e) {
	return e != null && e.constructor === h;
}, E.prototype.setState = function(e, t) {
	var n = this.__s;
	n && n != this.state || (n = this.__s = x({}, this.state)), typeof e == "function" && (e = e(x({}, n), this.props)), e && (x(n, e), this.__v && (t && this.__k.push(t), te(this)));
}, E.prototype.forceUpdate = function(e) {
	this.__v && (this.__g |= 4, e && this.__h.push(e), te(this));
}, E.prototype.render = T, s = [], l = 0, u = function(e, t) {
	return e.__v.__b - t.__v.__b;
}, d = Symbol(), f = /(PointerCapture)$|Capture$/i, p = 0, m = {};
// node_modules/preact/hooks/dist/hooks.mjs
var he, N, ge, _e, ve = Object.is, ye = 0, be = [], xe = [], P = i, Se = P.__b, Ce = P.__r, we = P.diffed, Te = P.__c, Ee = P.unmount, De = P.__;
function Oe(e, t) {
	P.__h && P.__h(N, e, ye || t), ye = 0;
	var n = N.__H || (N.__H = {
		__: [],
		__h: []
	});
	return e >= n.__.length && n.__.push({}), n.__[e];
}
function F(e, t) {
	var n = Oe(he++, 3);
	!P.__s && Le(n.__H, t) && (n.__P = !0, n.__ = e, n.u = t, N.__H.__h.push(n));
}
function ke(e) {
	return ye = 5, Ae(function() {
		return { current: e };
	}, []);
}
function Ae(e, t) {
	var n = Oe(he++, 7);
	return Le(n.__H, t) && (n.__ = e(), n.__H = t), n.__;
}
function je() {
	var e;
	do {
		for (; e = xe.shift();) try {
			Fe(e);
		} catch (t) {
			P.__e(t, { __: (e = e.__P) && e.__v });
		}
		for (; e = be.shift();) {
			var t = e.__H;
			if (e.__P && t) try {
				t.__h.some(Fe), t.__h.some(Ie), t.__h = [];
			} catch (n) {
				t.__h = [], P.__e(n, e.__v);
			}
		}
	} while (xe.length);
}
P.__b = function(e) {
	N = null, Se && Se(e);
}, P.__ = function(e, t) {
	e && t.__k && t.__k.__m && (e.__m = t.__k.__m), De && De(e, t);
}, P.__r = function(e) {
	Ce && Ce(e), he = 0;
	var t = (N = e.__c).__H;
	t && (ge == N ? N.__h = [] : (t.__h.some(Fe), t.__h.some(Ie), he = 0), t.__h = [], t.__.some(function(e) {
		e.__N && (e.__ = e.__N), e.u = e.__N = void 0;
	})), ge = N;
}, P.diffed = function(e) {
	we && we(e);
	var t = e.__c;
	t && t.__H && (t.__H.__h.length && Pe(be.push(t)), t.__H.__.some(function(e) {
		e.u && (e.__H = e.u);
	})), ge = N = null;
}, P.__c = function(e, t) {
	t.some(function(e) {
		try {
			e.__h.some(Fe), e.__h = e.__h.filter(function(e) {
				return !e.__ || Ie(e);
			});
		} catch (t) {
			e.__h = [function() {
				throw t;
			}];
		}
	}), Te && Te(e, t);
}, P.unmount = function(e) {
	Ee && Ee(e);
	var t, n, r = e.__c;
	r && r.__H && (r.__H.__.some(function(r) {
		try {
			if (r.__P && r.__c) {
				if (n === void 0) {
					for (n = e.__; n && (!n.__c || !n.__c.__P);) n = n.__;
					n &&= n.__c;
				}
				r.__P = n, Pe(xe.push(r));
			} else Fe(r);
		} catch (e) {
			t = e;
		}
	}), r.__H = void 0, t && P.__e(t, r.__v));
};
var Me = typeof requestAnimationFrame == "function";
function Ne(e) {
	var t, n = function() {
		clearTimeout(r), Me && cancelAnimationFrame(t), setTimeout(e);
	}, r = setTimeout(n, 35);
	Me && (t = requestAnimationFrame(n));
}
function Pe(e) {
	e != 1 && _e == P.requestAnimationFrame || ((_e = P.requestAnimationFrame) || Ne)(je);
}
function Fe(e) {
	var t = N, n = e.__c;
	typeof n == "function" && (e.__c = void 0, n()), N = t;
}
function Ie(e) {
	var t = N;
	e.__c = e.__(), N = t;
}
function Le(e, t) {
	return !e || e.length != t.length || t.some(function(t, n) {
		return !ve(t, e[n]);
	});
}
// node_modules/@preact/signals-core/dist/signals-core.module.js
var Re = Symbol.for("preact-signals");
function ze() {
	if (We > 1) We--;
	else {
		var e, t = !1;
		for ((function() {
			var e = Je;
			for (Je = void 0; e !== void 0;) {
				var t = e.S;
				if (t.v === e.v) for (var n = t.t; n !== void 0; n = n.x) n.i === e.i && (n.i = t.i);
				e = e.o;
			}
		})(); Ue !== void 0;) {
			var n = Ue;
			for (Ue = void 0, Ge++; n !== void 0;) {
				var r = n.u;
				if (n.u = void 0, n.f &= -3, !(8 & n.f) && Ze(n)) try {
					n.c();
				} catch (n) {
					t ||= (e = n, !0);
				}
				n = r;
			}
		}
		if (Ge = 0, We--, t) throw e;
	}
}
function Be(e) {
	if (We > 0) return e();
	qe = ++Ke, We++;
	try {
		return e();
	} finally {
		ze();
	}
}
var Ve, I = void 0;
function He(e) {
	var t = I, n = Ve;
	I = void 0, Ve = void 0;
	try {
		return e();
	} finally {
		I = t, Ve = n;
	}
}
var Ue = void 0, We = 0, Ge = 0, Ke = 0, qe = 0, Je = void 0, Ye = 0;
function Xe(e) {
	if (I !== void 0) {
		var t = e.n;
		if (t === void 0 || t.t !== I) return t = {
			i: 0,
			S: e,
			p: I.s,
			n: void 0,
			t: I,
			e: void 0,
			x: void 0,
			r: t
		}, I.s !== void 0 && (I.s.n = t), I.s = t, e.n = t, 32 & I.f && e.S(t), t;
		if (t.i === -1) return t.i = 0, t.n !== void 0 && (t.n.p = t.p, t.p !== void 0 && (t.p.n = t.n), t.p = I.s, t.n = void 0, I.s.n = t, I.s = t), t;
	}
}
function L(e, t) {
	this.v = e, this.i = 0, this.n = void 0, this.t = void 0, this.l = 0, this.W = t?.watched, this.Z = t?.unwatched, this.name = t?.name;
}
L.prototype.brand = Re, L.prototype.h = function() {
	return !0;
}, L.prototype.S = function(e) {
	var t = this, n = this.t;
	n !== e && e.e === void 0 && (e.x = n, this.t = e, n === void 0 ? He(function() {
		var e;
		(e = t.W) == null || e.call(t);
	}) : n.e = e);
}, L.prototype.U = function(e) {
	var t = this;
	if (this.t !== void 0) {
		var n = e.e, r = e.x;
		n !== void 0 && (n.x = r, e.e = void 0), r !== void 0 && (r.e = n, e.x = void 0), e === this.t && (this.t = r, r === void 0 && He(function() {
			var e;
			(e = t.Z) == null || e.call(t);
		}));
	}
}, L.prototype.subscribe = function(e) {
	var t = this;
	return B(function() {
		var n = t.value;
		He(function() {
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
	return He(function() {
		return e.value;
	});
}, Object.defineProperty(L.prototype, "value", {
	get: function() {
		var e = Xe(this);
		return e !== void 0 && (e.i = this.i), this.v;
	},
	set: function(e) {
		if (e !== this.v) {
			if (Ge > 100) throw Error("Cycle detected");
			(function(e) {
				We !== 0 && Ge === 0 && e.l !== qe && (e.l = qe, Je = {
					S: e,
					v: e.v,
					i: e.i,
					o: Je
				});
			})(this), this.v = e, this.i++, Ye++, We++;
			try {
				for (var t = this.t; t !== void 0; t = t.x) t.t.N();
			} finally {
				ze();
			}
		}
	}
});
function R(e, t) {
	return new L(e, t);
}
function Ze(e) {
	for (var t = e.s; t !== void 0; t = t.n) if (t.S.i !== t.i || !t.S.h() || t.S.i !== t.i) return !0;
	return !1;
}
function Qe(e) {
	for (var t = e.s; t !== void 0; t = t.n) {
		var n = t.S.n;
		if (n !== void 0 && (t.r = n), t.S.n = t, t.i = -1, t.n === void 0) {
			e.s = t;
			break;
		}
	}
}
function $e(e) {
	for (var t = e.s, n = void 0; t !== void 0;) {
		var r = t.p;
		t.i === -1 ? (t.S.U(t), r !== void 0 && (r.n = t.n), t.n !== void 0 && (t.n.p = r)) : n = t, t.S.n = t.r, t.r !== void 0 && (t.r = void 0), t = r;
	}
	e.s = n;
}
function et(e, t) {
	L.call(this, void 0, t), this.x = e, this.s = void 0, this.g = Ye - 1, this.f = 4;
}
et.prototype = new L(), et.prototype.h = function() {
	if (this.f &= -3, 1 & this.f) return !1;
	if ((36 & this.f) == 32 || (this.f &= -5, this.g === Ye)) return !0;
	if (this.g = Ye, this.f |= 1, this.i > 0 && !Ze(this)) return this.f &= -2, !0;
	var e = I;
	try {
		Qe(this), I = this;
		var t = this.x();
		(16 & this.f || this.v !== t || this.i === 0) && (this.v = t, this.f &= -17, this.i++);
	} catch (e) {
		this.v = e, this.f |= 16, this.i++;
	}
	return I = e, $e(this), this.f &= -2, !0;
}, et.prototype.S = function(e) {
	if (this.t === void 0) {
		this.f |= 36;
		for (var t = this.s; t !== void 0; t = t.n) t.S.S(t);
	}
	L.prototype.S.call(this, e);
}, et.prototype.U = function(e) {
	if (this.t !== void 0 && (L.prototype.U.call(this, e), this.t === void 0)) {
		this.f &= -33;
		for (var t = this.s; t !== void 0; t = t.n) t.S.U(t);
	}
}, et.prototype.N = function() {
	if (!(2 & this.f)) {
		this.f |= 6;
		for (var e = this.t; e !== void 0; e = e.x) e.t.N();
	}
}, Object.defineProperty(et.prototype, "value", { get: function() {
	if (1 & this.f) throw Error("Cycle detected");
	var e = Xe(this);
	if (this.h(), e !== void 0 && (e.i = this.i), 16 & this.f) throw this.v;
	return this.v;
} });
function z(e, t) {
	return new et(e, t);
}
function tt(e) {
	var t = e.j;
	if (e.j = void 0, typeof t == "function") {
		We++;
		var n = I;
		I = void 0;
		try {
			t();
		} catch (t) {
			throw e.f &= -2, e.f |= 8, nt(e), t;
		} finally {
			I = n, ze();
		}
	}
}
function nt(e) {
	for (var t = e.s; t !== void 0; t = t.n) t.S.U(t);
	e.x = void 0, e.s = void 0, tt(e);
}
function rt(e) {
	if (I !== this) throw Error("Out-of-order effect");
	$e(this), I = e, this.f &= -2;
	try {
		8 & this.f && nt(this);
	} finally {
		ze();
	}
}
function it(e, t) {
	this.x = e, this.j = void 0, this.s = void 0, this.u = void 0, this.f = 32, this.name = t?.name, Ve && Ve.push(this);
}
it.prototype.c = function() {
	var e = this.S();
	try {
		if (8 & this.f || this.x === void 0) return;
		var t = this.x();
		typeof t == "function" && (this.j = t);
	} finally {
		e();
	}
}, it.prototype.S = function() {
	if (1 & this.f) throw Error("Cycle detected");
	this.f |= 1, this.f &= -9, tt(this), Qe(this), We++;
	var e = I;
	return I = this, rt.bind(this, e);
}, it.prototype.N = function() {
	2 & this.f || (this.f |= 2, this.u = Ue, Ue = this);
}, it.prototype.d = function() {
	this.f |= 8, 1 & this.f || nt(this);
}, it.prototype.dispose = function() {
	this.d();
};
function B(e, t) {
	var n = new it(e, t);
	try {
		n.c();
	} catch (e) {
		throw n.d(), e;
	}
	var r = n.d.bind(n);
	return r[Symbol.dispose] = r, r;
}
// node_modules/@preact/signals/dist/signals.module.js
var at, ot, st = typeof window < "u" && !!window.__PREACT_SIGNALS_DEVTOOLS__, ct = [];
B(function() {
	at = this.N;
})();
function lt(e, t) {
	i[e] = t.bind(null, i[e] || function() {});
}
function ut(e) {
	if (ot) {
		var t = ot;
		ot = void 0, t();
	}
	ot = e && e.S();
}
function dt(e) {
	var t = this, n = e.data, r = pt(n);
	r.name = "ReactiveDom", r.value = n;
	var i = Ae(function() {
		for (var e = t, n = t.__v; n = n.__;) if (n.__c) {
			n.__c.__$f |= 4;
			break;
		}
		var i = z(function() {
			var e = r.value.value;
			return e === 0 ? 0 : !0 === e ? "" : e || "";
		}), a = z(function() {
			return !Array.isArray(i.value) && !o(i.value);
		}), s = B(function() {
			if (this.N = gt, a.value) {
				var t = i.value;
				e.__v && e.__v.__e && e.__v.__e.nodeType === 3 && (e.__v.__e.data = t);
			}
		}), c = t.__$u.d;
		return t.__$u.d = function() {
			s(), c.call(this);
		}, [a, i];
	}, []), a = i[0], s = i[1];
	return a.value ? s.peek() : s.value;
}
dt.displayName = "ReactiveTextNode", Object.defineProperties(L.prototype, {
	constructor: {
		configurable: !0,
		value: C(T, null).constructor
	},
	type: {
		configurable: !0,
		value: dt
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
}), lt("__b", function(e, t) {
	if (ut(), typeof t.type == "string") {
		var n, r = t.props;
		for (var i in r) if (i !== "children") {
			var a = r[i];
			a instanceof L && (n || (t.__np = n = {}), n[i] = a, r[i] = a.peek());
		}
	}
	e(t);
}), lt("__r", function(e, t) {
	if (e(t), t.type !== T) {
		ut();
		var n, r = t.__c;
		r && (r.__$f &= -2, (n = r.__$u) === void 0 && (r.__$u = n = function(e, t) {
			var n;
			return B(function() {
				n = this;
			}, { name: t }), n.c = e, n;
		}(function(e) {
			return function() {
				var t;
				st && ((t = this.y) == null || t.call(this)), e.__$f |= 1, e.setState({});
			};
		}(r), typeof t.type == "function" ? t.type.displayName || t.type.name : ""))), ut(n);
	}
}), lt("__e", function(e, t, n, r) {
	ut(), e(t, n, r);
}), lt("diffed", function(e, t) {
	ut();
	var n;
	if (typeof t.type == "string" && (n = t.__e)) {
		var r = t.__np, i = t.props, a = n.U;
		if (a) for (var o in a) {
			var s = a[o];
			s === void 0 || r && o in r || (s.d(), a[o] = void 0);
		}
		if (r) for (var c in a || (a = {}, n.U = a), r) {
			var l = a[c], u = r[c];
			l === void 0 ? (l = ft(n, c, u, i), a[c] = l) : l.o(u, i);
		}
	}
	e(t);
});
function ft(e, t, n, r) {
	var i = t in e && e.ownerSVGElement === void 0, a = R(n);
	return {
		o: function(e, t) {
			a.value = e, r = t;
		},
		d: B(function() {
			this.N = gt;
			var n = a.value.value;
			r[t] !== n && (r[t] = n, i ? e[t] = n : n != null && (!1 !== n || t[4] === "-") ? e.setAttribute(t, n) : e.removeAttribute(t));
		})
	};
}
lt("unmount", function(e, t) {
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
}), lt("__h", function(e, t, n, r) {
	r < 3 && (t.__$f |= 2), e(t, n, r);
}), E.prototype.shouldComponentUpdate = function(e, t) {
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
function pt(e, t) {
	return Ae(function() {
		return R(e, t);
	}, []);
}
var mt = function(e) {
	queueMicrotask(function() {
		queueMicrotask(e);
	});
};
function ht() {
	Be(function() {
		for (var e; e = ct.shift();) at.call(e);
	});
}
function gt() {
	ct.push(this) === 1 && (i.requestAnimationFrame || mt)(ht);
}
// src/state.ts
var _t = [
	"matrix",
	"arcs",
	"products",
	"image"
], vt = [
	"layer",
	"look",
	"entropy",
	"distance",
	"first",
	"previous"
], yt = [
	"nothing",
	"special",
	"first"
], bt = [
	"system",
	"light",
	"dark"
], xt = {
	heads: [[0, 0]],
	query: null,
	key: null,
	view: "matrix",
	text: 0,
	unit: "words",
	log: !1,
	hide: "nothing",
	pool: "mean",
	sort: "layer",
	theme: "system"
}, St = (e) => {
	let [t, n] = e.split("-").map(Number);
	if (!(t >= 0) || !(n === void 0 || n >= t) || !Number.isInteger(t)) throw RangeError(e);
	return [t, (n ?? t) + 1];
}, Ct = (e) => (t) => {
	if (!e.includes(t)) throw RangeError(t);
	return t;
}, wt = (e) => e[1] === e[0] + 1 ? `${e[0]}` : `${e[0]}-${e[1] - 1}`, Tt = {
	heads: [
		"h",
		(e) => e.split(",").map((e) => {
			let [t, n] = e.split(".").map(Number);
			if (![t, n].every((e) => Number.isInteger(e) && e >= 0)) throw RangeError(e);
			return [t, n];
		}),
		(e) => e.map((e) => e.join(".")).join(",")
	],
	query: [
		"q",
		St,
		(e) => wt(e)
	],
	key: [
		"k",
		St,
		(e) => wt(e)
	],
	view: [
		"v",
		Ct(_t),
		String
	],
	text: [
		"t",
		(e) => St(e)[0],
		String
	],
	unit: [
		"u",
		Ct(["words", "pieces"]),
		String
	],
	log: [
		"log",
		(e) => e === "1",
		(e) => e ? "1" : "0"
	],
	hide: [
		"hide",
		Ct(yt),
		String
	],
	pool: [
		"pool",
		Ct(["mean", "max"]),
		String
	],
	sort: [
		"sort",
		Ct(vt),
		String
	],
	theme: [
		"theme",
		Ct(bt),
		String
	]
};
function Et(e, t) {
	let n = [];
	for (let [r, [i, , a]] of Object.entries(Tt)) {
		let [o, s] = [e[r], t[r]].map((e) => e === null ? "" : a(e));
		o !== s && n.push(`${i}=${o}`);
	}
	return n.join("&");
}
function Dt(e, t) {
	let n = new URLSearchParams(e.replace(/^#/, "")), r = { ...t };
	for (let [e, [t, i]] of Object.entries(Tt)) {
		let a = n.get(t);
		if (a !== null) try {
			r[e] = a === "" ? null : i(a);
		} catch {}
	}
	return r;
}
var Ot = class {
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
	constructor(e) {
		this.start = e, this.state = R(e);
		let t = (e) => z(() => this.state.value[e]), [n, r, i, a] = [
			t("heads"),
			t("unit"),
			t("hide"),
			t("text")
		];
		this.lens = z(() => ({
			heads: n.value,
			unit: r.value,
			hide: i.value,
			text: a.value
		})), this.whole = z(() => ({
			heads: [],
			unit: r.value,
			hide: i.value,
			text: a.value
		})), this.query = t("query"), this.key = t("key");
	}
	get now() {
		return this.state.value;
	}
	set(e) {
		this.state.value = {
			...this.state.peek(),
			...e
		};
	}
	follow(e) {
		let t = () => {
			this.state.value = Dt(e.location.hash, this.start);
		};
		t();
		let n = B(() => {
			let t = Et(this.state.value, this.start);
			t !== e.location.hash.replace(/^#/, "") && e.history.pushState(null, "", t ? `#${t}` : e.location.pathname + e.location.search);
		});
		return e.addEventListener("popstate", t), () => {
			n(), e.removeEventListener("popstate", t);
		};
	}
}, kt = "http://www.w3.org/2000/svg", At = [
	"fill",
	"stroke",
	"stroke-width",
	"stroke-opacity",
	"font-family",
	"font-size",
	"font-weight",
	"text-anchor"
];
function jt(e, t) {
	let n = e.cloneNode(!0), [r, i] = [e, n].map((e) => [...e.querySelectorAll("*")]);
	r.forEach((e, t) => {
		let n = getComputedStyle(e);
		for (let e of At) i[t].setAttribute(e, n.getPropertyValue(e));
		for (let e of [
			"class",
			"tabindex",
			"role"
		]) i[t].removeAttribute(e);
	});
	let [a, o, s, c] = e.viewBox.baseVal ? [
		e.viewBox.baseVal.x,
		e.viewBox.baseVal.y,
		e.viewBox.baseVal.width,
		e.viewBox.baseVal.height
	] : [
		0,
		0,
		640,
		480
	], l = document.createElementNS(kt, "rect");
	for (let [e, n] of Object.entries({
		x: a,
		y: o,
		width: s,
		height: c,
		fill: t
	})) l.setAttribute(e, String(n));
	return n.prepend(l), n.removeAttribute("style"), n.setAttribute("width", String(s)), n.setAttribute("height", String(c)), n.setAttribute("xmlns", kt), new XMLSerializer().serializeToString(n);
}
function Mt(e) {
	return getComputedStyle(e).getPropertyValue("--paper");
}
async function Nt(e) {
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
function Pt(e) {
	let t = (e) => {
		if (typeof e == "number") return String(e);
		let t = /^[=+\-@\t\r]/.test(e) ? `'${e}` : e;
		return /[",\r\n]/.test(t) ? `"${t.replaceAll("\"", "\"\"")}"` : t;
	};
	return `${e.map((e) => e.map(t).join(",")).join("\r\n")}\r\n`;
}
function Ft(e) {
	return e.replace(/[&<>"']/g, (e) => `&#${e.charCodeAt(0)};`).replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, "�");
}
function It(e, t) {
	let n = document.createElement("a");
	n.href = URL.createObjectURL(e), n.download = t, n.click(), setTimeout(() => URL.revokeObjectURL(n.href), 1e4);
}
// node_modules/d3-format/dist/d3-format.mjs
function Lt(e) {
	return Math.abs(e = Math.round(e)) >= 1e21 ? e.toLocaleString("en").replace(/,/g, "") : e.toString(10);
}
function Rt(e, t) {
	if (!isFinite(e) || e === 0) return null;
	var n = (e = t ? e.toExponential(t - 1) : e.toExponential()).indexOf("e"), r = e.slice(0, n);
	return [r.length > 1 ? r[0] + r.slice(2) : r, +e.slice(n + 1)];
}
function zt(e) {
	return e = Rt(Math.abs(e)), e ? e[1] : NaN;
}
function Bt(e, t) {
	return function(n, r) {
		for (var i = n.length, a = [], o = 0, s = e[0], c = 0; i > 0 && s > 0 && (c + s + 1 > r && (s = Math.max(1, r - c)), a.push(n.substring(i -= s, i + s)), !((c += s + 1) > r));) s = e[o = (o + 1) % e.length];
		return a.reverse().join(t);
	};
}
function Vt(e) {
	return function(t) {
		return t.replace(/[0-9]/g, function(t) {
			return e[+t];
		});
	};
}
var Ht = /^(?:(.)?([<>=^]))?([+\-( ])?([$#])?(0)?(\d+)?(,)?(\.\d+)?(~)?([a-z%])?$/i;
function Ut(e) {
	if (!(t = Ht.exec(e))) throw Error("invalid format: " + e);
	var t;
	return new Wt({
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
Ut.prototype = Wt.prototype;
function Wt(e) {
	this.fill = e.fill === void 0 ? " " : e.fill + "", this.align = e.align === void 0 ? ">" : e.align + "", this.sign = e.sign === void 0 ? "-" : e.sign + "", this.symbol = e.symbol === void 0 ? "" : e.symbol + "", this.zero = !!e.zero, this.width = e.width === void 0 ? void 0 : +e.width, this.comma = !!e.comma, this.precision = e.precision === void 0 ? void 0 : +e.precision, this.trim = !!e.trim, this.type = e.type === void 0 ? "" : e.type + "";
}
Wt.prototype.toString = function() {
	return this.fill + this.align + this.sign + this.symbol + (this.zero ? "0" : "") + (this.width === void 0 ? "" : Math.max(1, this.width | 0)) + (this.comma ? "," : "") + (this.precision === void 0 ? "" : "." + Math.max(0, this.precision | 0)) + (this.trim ? "~" : "") + this.type;
};
function Gt(e) {
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
var Kt;
function qt(e, t) {
	var n = Rt(e, t);
	if (!n) return Kt = void 0, e.toPrecision(t);
	var r = n[0], i = n[1], a = i - (Kt = Math.max(-8, Math.min(8, Math.floor(i / 3))) * 3) + 1, o = r.length;
	return a === o ? r : a > o ? r + Array(a - o + 1).join("0") : a > 0 ? r.slice(0, a) + "." + r.slice(a) : "0." + Array(1 - a).join("0") + Rt(e, Math.max(0, t + a - 1))[0];
}
function Jt(e, t) {
	var n = Rt(e, t);
	if (!n) return e + "";
	var r = n[0], i = n[1];
	return i < 0 ? "0." + Array(-i).join("0") + r : r.length > i + 1 ? r.slice(0, i + 1) + "." + r.slice(i + 1) : r + Array(i - r.length + 2).join("0");
}
var Yt = {
	"%": (e, t) => (e * 100).toFixed(t),
	b: (e) => Math.round(e).toString(2),
	c: (e) => e + "",
	d: Lt,
	e: (e, t) => e.toExponential(t),
	f: (e, t) => e.toFixed(t),
	g: (e, t) => e.toPrecision(t),
	o: (e) => Math.round(e).toString(8),
	p: (e, t) => Jt(e * 100, t),
	r: Jt,
	s: qt,
	X: (e) => Math.round(e).toString(16).toUpperCase(),
	x: (e) => Math.round(e).toString(16)
};
function Xt(e) {
	return e;
}
var Zt = Array.prototype.map, Qt = [
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
function $t(e) {
	var t = e.grouping === void 0 || e.thousands === void 0 ? Xt : Bt(Zt.call(e.grouping, Number), e.thousands + ""), n = e.currency === void 0 ? "" : e.currency[0] + "", r = e.currency === void 0 ? "" : e.currency[1] + "", i = e.decimal === void 0 ? "." : e.decimal + "", a = e.numerals === void 0 ? Xt : Vt(Zt.call(e.numerals, String)), o = e.percent === void 0 ? "%" : e.percent + "", s = e.minus === void 0 ? "−" : e.minus + "", c = e.nan === void 0 ? "NaN" : e.nan + "";
	function l(e, l) {
		e = Ut(e);
		var u = e.fill, d = e.align, f = e.sign, p = e.symbol, m = e.zero, h = e.width, g = e.comma, _ = e.precision, v = e.trim, y = e.type;
		y === "n" ? (g = !0, y = "g") : Yt[y] || (_ === void 0 && (_ = 12), v = !0, y = "g"), (m || u === "0" && d === "=") && (m = !0, u = "0", d = "=");
		var b = (l && l.prefix !== void 0 ? l.prefix : "") + (p === "$" ? n : p === "#" && /[boxX]/.test(y) ? "0" + y.toLowerCase() : ""), x = (p === "$" ? r : /[%p]/.test(y) ? o : "") + (l && l.suffix !== void 0 ? l.suffix : ""), S = Yt[y], C = /[defgprs%]/.test(y);
		_ = _ === void 0 ? 6 : /[gprs]/.test(y) ? Math.max(1, Math.min(21, _)) : Math.max(0, Math.min(20, _));
		function w(e) {
			var n = b, r = x, o, l, p;
			if (y === "c") r = S(e) + r, e = "";
			else {
				e = +e;
				var w = e < 0 || 1 / e < 0;
				if (e = isNaN(e) ? c : S(Math.abs(e), _), v && (e = Gt(e)), w && +e == 0 && f !== "+" && (w = !1), n = (w ? f === "(" ? f : s : f === "-" || f === "(" ? "" : f) + n, r = (y === "s" && !isNaN(e) && Kt !== void 0 ? Qt[8 + Kt / 3] : "") + r + (w && f === "(" ? ")" : ""), C) {
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
		var n = Math.max(-8, Math.min(8, Math.floor(zt(t) / 3))) * 3, r = 10 ** -n, i = l((e = Ut(e), e.type = "f", e), { suffix: Qt[8 + n / 3] });
		return function(e) {
			return i(r * e);
		};
	}
	return {
		format: l,
		formatPrefix: u
	};
}
var en, tn;
nn({
	thousands: ",",
	grouping: [3],
	currency: ["$", ""]
});
function nn(e) {
	return en = $t(e), tn = en.format, en.formatPrefix, en;
}
// src/views/format.ts
var rn = tn(".3f"), an = tn(".1e");
function V(e) {
	return e === 0 || e >= 5e-4 || Number.isNaN(e) ? rn(e) : an(e);
}
function on(e, [t, n]) {
	let { label: r, number: i, heads: a } = e.layers[t];
	return `L${i}H${a[n]}${r.slice(`L${i}`.length)}`;
}
function sn(e) {
	return e.replace(/\n/g, "⏎").replace(/\t/g, "⇥").replace(/^ +| +$/g, (e) => "␣".repeat(e.length)) || "∅";
}
function cn(e, t, n) {
	return !e || e.pieces.length !== t ? Array.from({ length: t }, (e, t) => `${t}`) : (n === "words" ? e.words : e.pieces).map(sn);
}
function ln(e, t, n) {
	return !e || e.pieces.length !== t ? Array.from({ length: t }, () => !1) : n === "words" ? e.word_special : e.special;
}
function un(e, t) {
	let n = e.slice(t[0], Math.min(t[1], t[0] + 6)).join(" ");
	return t[1] - t[0] > 6 ? `${n} …` : n;
}
// node_modules/preact/jsx-runtime/dist/jsxRuntime.mjs
var dn = Symbol.for("pv"), fn = 0;
Array.isArray;
function H(e, t, n, r, a, o) {
	t ||= {};
	var s, c, l = t;
	if ("ref" in l && typeof e != "function") for (c in l = {}, t) c == "ref" ? s = t[c] : l[c] = t[c];
	var u = {
		type: e,
		props: l,
		key: n,
		ref: s,
		__k: null,
		__: null,
		__b: 0,
		__e: null,
		__c: null,
		constructor: dn,
		__v: --fn,
		__i: -1,
		__u: 0
	};
	return (a || o) && (u.__source = a, u.__self = o), i.vnode && i.vnode(u), u;
}
// src/views/arcs.tsx
var pn = 22, mn = 400, hn = 240, gn = [
	"#0072b2",
	"#d55e00",
	"#009e73",
	"#cc79a7",
	"#e69f00",
	"#56b4e9"
];
function _n({ model: e }) {
	let { store: t, source: n } = e, { heads: r, query: i, key: a } = t.state.value, [o, s] = [e.queryWords.value, e.keyWords.value], c = pt(0), l = pt({
		arcs: [],
		of: 0
	}), u = ke(null), d = t.lens.value, f = Math.min(o.length, hn), p = Math.min(s.length, hn), m = Math.min(c.value, Math.max(0, o.length - f)), h = Math.min(c.value, Math.max(0, s.length - p));
	F(() => {
		let t = new AbortController();
		return Promise.all(r.map((n) => vn(e, n, m, f, h, p, t.signal))).then((e) => {
			let t = [];
			e.forEach((e, n) => e.forEach((e, r) => e > .001 && t.push({
				query: m + Math.floor(r / p),
				key: h + r % p,
				weight: e,
				head: n
			}))), t.sort((e, t) => t.weight - e.weight), l.value = {
				arcs: t.slice(0, mn),
				of: t.length
			};
		}, (t) => t.name !== "AbortError" && (e.error.value = t.message)), () => t.abort();
	}, [
		d,
		m,
		h,
		f,
		p
	]), F(() => {
		let t = l.value.arcs;
		return e.kept.value = {
			svg: () => jt(u.current, Mt(u.current)),
			table: async () => [[
				"head",
				"query",
				"key",
				"from",
				"to",
				"weight"
			], ...t.map((e) => [
				on(n.info, r[e.head]),
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
	let g = t.hover.value, _ = (e) => g.query !== null || g.key !== null ? e.query === g.query || e.key === g.key : i && !(e.query >= i[0] && e.query < i[1]) ? !1 : !(a && !(e.key >= a[0] && e.key < a[1])), v = g.query !== null || g.key !== null || i || a, y = Math.max(f, p) * pn + 12, b = (e, t) => (e - t + .5) * pn + 6, x = l.value.arcs;
	return /* @__PURE__ */ H("figure", {
		class: "arcs",
		children: [/* @__PURE__ */ H("svg", {
			ref: u,
			viewBox: `0 0 640 ${y}`,
			style: { height: `${y}px` },
			role: "group",
			"aria-label": "Lines from queries, left, to the keys that they look at, right",
			children: [
				/* @__PURE__ */ H("g", {
					fill: "none",
					children: x.map((e) => {
						let [t, n] = [b(e.query, m), b(e.key, h)], r = _(e);
						return /* @__PURE__ */ H("path", {
							d: `M200 ${t}C320 ${t} 320 ${n} 440 ${n}`,
							stroke: gn[e.head % gn.length],
							"stroke-width": Math.max(.5, 6 * e.weight),
							"stroke-opacity": v ? r ? Math.min(1, .25 + e.weight) : .04 : Math.min(1, .1 + e.weight)
						});
					})
				}),
				/* @__PURE__ */ H(yn, {
					model: e,
					words: o,
					from: m,
					count: f,
					side: "query",
					y: (e) => b(e, m)
				}),
				/* @__PURE__ */ H(yn, {
					model: e,
					words: s,
					from: h,
					count: p,
					side: "key",
					y: (e) => b(e, h)
				})
			]
		}), /* @__PURE__ */ H("figcaption", { children: [
			r.map((e, t) => /* @__PURE__ */ H("span", {
				class: "key",
				children: [
					/* @__PURE__ */ H("i", { style: { background: gn[t % gn.length] } }),
					" ",
					on(n.info, e)
				]
			})),
			/* @__PURE__ */ H("span", { children: [
				l.value.of > x.length ? `the strongest ${x.length} of ${l.value.of} lines above 0.001` : `${x.length} lines above 0.001`,
				x.length > 0 && `, down to ${V(x[x.length - 1].weight)}`,
				Math.max(o.length, s.length) > hn && ` among ${hn} from ${m}`
			] }),
			Math.max(o.length, s.length) > hn && /* @__PURE__ */ H("label", {
				class: "field",
				children: ["from", /* @__PURE__ */ H("input", {
					type: "range",
					min: 0,
					max: Math.max(o.length, s.length) - hn,
					value: c.value,
					onInput: (e) => c.value = Number(e.currentTarget.value)
				})]
			})
		] })]
	});
}
async function vn(e, t, n, r, i, a, o) {
	let s = new Float32Array(r * a), c = {
		...e.store.lens.peek(),
		heads: [t]
	}, l = (e, t) => Array.from({ length: Math.floor((e + t - 1) / 256) - Math.floor(e / 256) + 1 }, (t, n) => Math.floor(e / 256) + n), u = l(n, r).flatMap((e) => l(i, a).map((t) => [e, t]));
	return await Promise.all(u.map(async ([t, l]) => {
		let u = await e.source.tile(c, 0, t, l, o);
		for (let e = 0; e < u.rows; e++) {
			let o = t * 256 + e - n;
			if (!(o < 0 || o >= r)) for (let t = 0; t < u.columns; t++) {
				let n = l * 256 + t - i;
				n >= 0 && n < a && (s[o * a + n] = u.mean[e * u.columns + t]);
			}
		}
	})), s;
}
function yn({ model: e, words: t, from: n, count: r, side: i, y: a }) {
	let { store: o } = e, s = o.state.value[i], c = i === "query", l = c ? e.column.value : e.row.value;
	return /* @__PURE__ */ H("g", {
		class: "column",
		"text-anchor": c ? "end" : "start",
		children: t.slice(n, n + r).map((e, r) => {
			let u = n + r, d = s !== null && u >= s[0] && u < s[1], f = l && l.length === t.length ? l[u] : null;
			return /* @__PURE__ */ H("text", {
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
				children: [[...e].length > 24 ? `${[...e].slice(0, 23).join("")}…` : e, f !== null && f >= .005 && /* @__PURE__ */ H("tspan", {
					class: "quiet",
					children: [" ", f.toFixed(2)]
				})]
			});
		})
	});
}
// src/views/export.tsx
function bn({ model: e }) {
	let t = pt(""), { heads: n, view: r } = e.store.state.value, i = `${n.map((t) => on(e.source.info, t).replace("@", "-")).join("+")}-${r}`, a = e.kept.value;
	async function o(e) {
		try {
			if (e === "link") {
				await navigator.clipboard.writeText(window.location.href), t.value = "The link is on the clipboard.";
				return;
			}
			if (!a) return;
			e === "csv" ? It(new Blob([Pt(await a.table())], { type: "text/csv" }), `${i}.csv`) : e === "svg" ? It(new Blob([a.svg()], { type: "image/svg+xml" }), `${i}.svg`) : It(await Nt(a.svg()), `${i}.png`), t.value = `${i}.${e} was written.`;
		} catch (n) {
			t.value = e === "link" ? `Copy it from the address bar: ${window.location.href}` : String(n.message);
		}
	}
	return /* @__PURE__ */ H("div", {
		class: "export",
		role: "group",
		"aria-label": "Keep what is seen",
		children: [
			[
				"png",
				"svg",
				"csv"
			].map((e) => /* @__PURE__ */ H("button", {
				type: "button",
				disabled: !a,
				onClick: () => void o(e),
				children: e.toUpperCase()
			})),
			/* @__PURE__ */ H("button", {
				type: "button",
				onClick: () => void o("link"),
				children: "Link"
			}),
			/* @__PURE__ */ H("span", {
				role: "status",
				class: "quiet",
				children: t.value
			})
		]
	});
}
// src/views/keys.ts
var xn = [
	["← →", "the word before or after"],
	["↑ ↓", "the key above or below"],
	["[ ]", "the head before or after"],
	["{ }", "the layer before or after"],
	["1 – 4", "matrix, arcs, q·k, image"],
	["w", "words or pieces"],
	["l", "linear or log"],
	["s", "hide nothing, special tokens, the first token"],
	["m", "mean or maximum where zoomed out"],
	["+ − 0", "zoom in, out, all"],
	["Esc", "let go of the selection"],
	["?", "this list"]
];
function Sn(e, t, n) {
	let r = e ? Math.min(n - 1, Math.max(0, e[0] + t)) : t > 0 ? 0 : n - 1;
	return [r, r + 1];
}
function Cn(e, t, n, r) {
	let i = e.target;
	if (e.ctrlKey || e.metaKey || e.altKey || i.closest("input, select, textarea, dialog")) return;
	let { store: a, source: o } = t, s = a.now, { layers: c } = o.info, [l, u] = s.heads[0], d = (e) => a.set(e), f = t.heads, p = f.findIndex((e) => e[0] === l && e[1] === u), m = (e) => f[(e + f.length) % f.length], h = (e) => {
		let t = (l + e + c.length) % c.length;
		return [t, Math.min(u, c[t].heads.length - 1)];
	}, g = (e) => n.querySelector(".matrix canvas")?.dispatchEvent(new CustomEvent("zoom-by", { detail: e })), _ = {
		ArrowRight: () => d({ query: Sn(s.query, 1, t.queryWords.value.length) }),
		ArrowLeft: () => d({ query: Sn(s.query, -1, t.queryWords.value.length) }),
		ArrowDown: () => d({ key: Sn(s.key, 1, t.keyWords.value.length) }),
		ArrowUp: () => d({ key: Sn(s.key, -1, t.keyWords.value.length) }),
		"]": () => d({ heads: [m(p + 1)] }),
		"[": () => d({ heads: [m(p - 1)] }),
		"}": () => d({ heads: [h(1)] }),
		"{": () => d({ heads: [h(-1)] }),
		w: () => d({
			unit: s.unit === "words" ? "pieces" : "words",
			query: null,
			key: null
		}),
		l: () => d({ log: !s.log }),
		s: () => d({ hide: yt[(yt.indexOf(s.hide) + 1) % yt.length] }),
		m: () => d({ pool: s.pool === "mean" ? "max" : "mean" }),
		"+": () => g("+"),
		"=": () => g("+"),
		"-": () => g("-"),
		0: () => g("0"),
		Escape: () => d({
			query: null,
			key: null
		}),
		"?": r
	};
	_t.forEach((e, t) => {
		e !== "image" && (_[`${t + 1}`] = () => d({ view: e }));
	});
	let v = _[e.key];
	v && (e.preventDefault(), v());
}
// src/views/help.tsx
function wn({ onClose: e }) {
	let t = ke(null);
	return F(() => t.current.showModal(), []), /* @__PURE__ */ H("dialog", {
		ref: t,
		"aria-label": "Keys, and what weights do not show",
		onClose: e,
		children: [
			/* @__PURE__ */ H("h2", { children: "Keys" }),
			/* @__PURE__ */ H("dl", { children: xn.map(([e, t]) => /* @__PURE__ */ H("div", { children: [/* @__PURE__ */ H("dt", { children: /* @__PURE__ */ H("kbd", { children: e }) }), /* @__PURE__ */ H("dd", { children: t })] })) }),
			/* @__PURE__ */ H("h2", { children: "What weights do not show" }),
			/* @__PURE__ */ H("p", { children: "A weight says how much of a token's value a head mixes in, not what the value does afterwards: the same output can come out of other weights (Jain & Wallace 2019, arXiv:1902.10186), which are still a useful trace where they are tested against alternatives (Wiegreffe & Pinter 2019, arXiv:1908.04626). A token that gets much weight may be a resting place with a value of almost no length (Clark et al. 2019, arXiv:1906.04341; Kobayashi et al. 2020, arXiv:2004.10102)." }),
			/* @__PURE__ */ H("form", {
				method: "dialog",
				children: /* @__PURE__ */ H("button", {
					type: "submit",
					children: "Close"
				})
			})
		]
	});
}
// src/views/inspector.tsx
var Tn = 12;
function En({ model: e }) {
	let { store: t, source: n } = e, { query: r, key: i, heads: a } = t.state.value, o = e.row.value, s = e.keyWords.value, c = o && o.length === s.length ? o : null, l = r && un(e.queryWords.value, r), u = i && un(s, i), d = 0;
	if (c && i) for (let e = i[0]; e < i[1]; e++) d += c[e];
	let f = c && i && i[1] === i[0] + 1 ? 1 + c.filter((e) => e > c[i[0]]).length : null, p = c ? Array.from(c, (e, t) => [e, t]).sort((e, t) => t[0] - e[0]).slice(0, Tn) : [], m = [...e.looks.value ?? []].sort((e, t) => t.weight - e.weight).slice(0, Tn), h = a.map((e) => on(n.info, e)).join(" + ");
	return /* @__PURE__ */ H("aside", {
		class: "inspector",
		"aria-label": "The selection",
		children: [
			/* @__PURE__ */ H("h2", { children: l || u ? /* @__PURE__ */ H(T, { children: [
				/* @__PURE__ */ H("bdi", { children: l ?? "…" }),
				" → ",
				/* @__PURE__ */ H("bdi", { children: u ?? "…" })
			] }) : "Nothing is selected" }),
			/* @__PURE__ */ H("p", {
				"aria-live": "polite",
				children: c && i && /* @__PURE__ */ H(T, { children: [
					/* @__PURE__ */ H("strong", { children: V(d) }),
					" in ",
					h,
					f && `, rank ${f} of ${s.length}`
				] })
			}),
			c && /* @__PURE__ */ H(T, { children: [/* @__PURE__ */ H("h3", { children: [h, ": what it looks at"] }), /* @__PURE__ */ H(Dn, {
				rows: p.map(([e, t]) => ({
					label: s[t],
					weight: e,
					isMarked: !!i && t >= i[0] && t < i[1]
				})),
				onChoose: (e) => t.set({ key: [p[e][1], p[e][1] + 1] })
			})] }),
			m.length > 0 && /* @__PURE__ */ H(T, { children: [/* @__PURE__ */ H("h3", { children: i ? "All heads, for this pair" : "Heads that look hardest" }), /* @__PURE__ */ H(Dn, {
				rows: m.map((e) => ({
					label: on(n.info, e.head) + (i ? "" : ` → ${s[e.key]}`),
					weight: e.weight,
					isMarked: a.some((t) => t.join(".") === e.head.join("."))
				})),
				onChoose: (e) => t.set({ heads: [m[e].head] })
			})] }),
			!r && /* @__PURE__ */ H("p", {
				class: "hint",
				children: "Choose a word in the text."
			})
		]
	});
}
function Dn({ rows: e, onChoose: t }) {
	let n = Math.max(1e-9, ...e.map((e) => e.weight));
	return /* @__PURE__ */ H("ol", {
		class: "bars",
		children: e.map((e, r) => /* @__PURE__ */ H("li", { children: /* @__PURE__ */ H("button", {
			type: "button",
			class: e.isMarked ? "is-marked" : "",
			onClick: () => t(r),
			children: [
				/* @__PURE__ */ H("span", {
					class: "label",
					children: /* @__PURE__ */ H("bdi", { children: e.label })
				}),
				/* @__PURE__ */ H("span", {
					class: "bar",
					"aria-hidden": "true",
					children: /* @__PURE__ */ H("span", { style: { width: `${100 * e.weight / n}%` } })
				}),
				/* @__PURE__ */ H("span", {
					class: "number",
					children: V(e.weight)
				})
			]
		}) }))
	});
}
// node_modules/d3-selection/dist/d3-selection.mjs
var On = "http://www.w3.org/1999/xhtml", kn = {
	svg: "http://www.w3.org/2000/svg",
	xhtml: On,
	xlink: "http://www.w3.org/1999/xlink",
	xml: "http://www.w3.org/XML/1998/namespace",
	xmlns: "http://www.w3.org/2000/xmlns/"
};
function An(e) {
	var t = e += "", n = t.indexOf(":");
	return n >= 0 && (t = e.slice(0, n)) !== "xmlns" && (e = e.slice(n + 1)), kn.hasOwnProperty(t) ? {
		space: kn[t],
		local: e
	} : e;
}
function jn(e) {
	return function() {
		var t = this.ownerDocument, n = this.namespaceURI;
		return n === On && t.documentElement.namespaceURI === On ? t.createElement(e) : t.createElementNS(n, e);
	};
}
function Mn(e) {
	return function() {
		return this.ownerDocument.createElementNS(e.space, e.local);
	};
}
function Nn(e) {
	var t = An(e);
	return (t.local ? Mn : jn)(t);
}
function Pn() {}
function Fn(e) {
	return e == null ? Pn : function() {
		return this.querySelector(e);
	};
}
function In(e) {
	typeof e != "function" && (e = Fn(e));
	for (var t = this._groups, n = t.length, r = Array(n), i = 0; i < n; ++i) for (var a = t[i], o = a.length, s = r[i] = Array(o), c, l, u = 0; u < o; ++u) (c = a[u]) && (l = e.call(c, c.__data__, u, a)) && ("__data__" in c && (l.__data__ = c.__data__), s[u] = l);
	return new U(r, this._parents);
}
function Ln(e) {
	return e == null ? [] : Array.isArray(e) ? e : Array.from(e);
}
function Rn() {
	return [];
}
function zn(e) {
	return e == null ? Rn : function() {
		return this.querySelectorAll(e);
	};
}
function Bn(e) {
	return function() {
		return Ln(e.apply(this, arguments));
	};
}
function Vn(e) {
	e = typeof e == "function" ? Bn(e) : zn(e);
	for (var t = this._groups, n = t.length, r = [], i = [], a = 0; a < n; ++a) for (var o = t[a], s = o.length, c, l = 0; l < s; ++l) (c = o[l]) && (r.push(e.call(c, c.__data__, l, o)), i.push(c));
	return new U(r, i);
}
function Hn(e) {
	return function() {
		return this.matches(e);
	};
}
function Un(e) {
	return function(t) {
		return t.matches(e);
	};
}
var Wn = Array.prototype.find;
function Gn(e) {
	return function() {
		return Wn.call(this.children, e);
	};
}
function Kn() {
	return this.firstElementChild;
}
function qn(e) {
	return this.select(e == null ? Kn : Gn(typeof e == "function" ? e : Un(e)));
}
var Jn = Array.prototype.filter;
function Yn() {
	return Array.from(this.children);
}
function Xn(e) {
	return function() {
		return Jn.call(this.children, e);
	};
}
function Zn(e) {
	return this.selectAll(e == null ? Yn : Xn(typeof e == "function" ? e : Un(e)));
}
function Qn(e) {
	typeof e != "function" && (e = Hn(e));
	for (var t = this._groups, n = t.length, r = Array(n), i = 0; i < n; ++i) for (var a = t[i], o = a.length, s = r[i] = [], c, l = 0; l < o; ++l) (c = a[l]) && e.call(c, c.__data__, l, a) && s.push(c);
	return new U(r, this._parents);
}
function $n(e) {
	return Array(e.length);
}
function er() {
	return new U(this._enter || this._groups.map($n), this._parents);
}
function tr(e, t) {
	this.ownerDocument = e.ownerDocument, this.namespaceURI = e.namespaceURI, this._next = null, this._parent = e, this.__data__ = t;
}
tr.prototype = {
	constructor: tr,
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
function nr(e) {
	return function() {
		return e;
	};
}
function rr(e, t, n, r, i, a) {
	for (var o = 0, s, c = t.length, l = a.length; o < l; ++o) (s = t[o]) ? (s.__data__ = a[o], r[o] = s) : n[o] = new tr(e, a[o]);
	for (; o < c; ++o) (s = t[o]) && (i[o] = s);
}
function ir(e, t, n, r, i, a, o) {
	var s, c, l = /* @__PURE__ */ new Map(), u = t.length, d = a.length, f = Array(u), p;
	for (s = 0; s < u; ++s) (c = t[s]) && (f[s] = p = o.call(c, c.__data__, s, t) + "", l.has(p) ? i[s] = c : l.set(p, c));
	for (s = 0; s < d; ++s) p = o.call(e, a[s], s, a) + "", (c = l.get(p)) ? (r[s] = c, c.__data__ = a[s], l.delete(p)) : n[s] = new tr(e, a[s]);
	for (s = 0; s < u; ++s) (c = t[s]) && l.get(f[s]) === c && (i[s] = c);
}
function ar(e) {
	return e.__data__;
}
function or(e, t) {
	if (!arguments.length) return Array.from(this, ar);
	var n = t ? ir : rr, r = this._parents, i = this._groups;
	typeof e != "function" && (e = nr(e));
	for (var a = i.length, o = Array(a), s = Array(a), c = Array(a), l = 0; l < a; ++l) {
		var u = r[l], d = i[l], f = d.length, p = sr(e.call(u, u && u.__data__, l, r)), m = p.length, h = s[l] = Array(m), g = o[l] = Array(m);
		n(u, d, h, g, c[l] = Array(f), p, t);
		for (var _ = 0, v = 0, y, b; _ < m; ++_) if (y = h[_]) {
			for (_ >= v && (v = _ + 1); !(b = g[v]) && ++v < m;);
			y._next = b || null;
		}
	}
	return o = new U(o, r), o._enter = s, o._exit = c, o;
}
function sr(e) {
	return typeof e == "object" && "length" in e ? e : Array.from(e);
}
function cr() {
	return new U(this._exit || this._groups.map($n), this._parents);
}
function lr(e, t, n) {
	var r = this.enter(), i = this, a = this.exit();
	return typeof e == "function" ? (r = e(r), r &&= r.selection()) : r = r.append(e + ""), t != null && (i = t(i), i &&= i.selection()), n == null ? a.remove() : n(a), r && i ? r.merge(i).order() : i;
}
function ur(e) {
	for (var t = e.selection ? e.selection() : e, n = this._groups, r = t._groups, i = n.length, a = r.length, o = Math.min(i, a), s = Array(i), c = 0; c < o; ++c) for (var l = n[c], u = r[c], d = l.length, f = s[c] = Array(d), p, m = 0; m < d; ++m) (p = l[m] || u[m]) && (f[m] = p);
	for (; c < i; ++c) s[c] = n[c];
	return new U(s, this._parents);
}
function dr() {
	for (var e = this._groups, t = -1, n = e.length; ++t < n;) for (var r = e[t], i = r.length - 1, a = r[i], o; --i >= 0;) (o = r[i]) && (a && o.compareDocumentPosition(a) ^ 4 && a.parentNode.insertBefore(o, a), a = o);
	return this;
}
function fr(e) {
	e ||= pr;
	function t(t, n) {
		return t && n ? e(t.__data__, n.__data__) : !t - !n;
	}
	for (var n = this._groups, r = n.length, i = Array(r), a = 0; a < r; ++a) {
		for (var o = n[a], s = o.length, c = i[a] = Array(s), l, u = 0; u < s; ++u) (l = o[u]) && (c[u] = l);
		c.sort(t);
	}
	return new U(i, this._parents).order();
}
function pr(e, t) {
	return e < t ? -1 : e > t ? 1 : e >= t ? 0 : NaN;
}
function mr() {
	var e = arguments[0];
	return arguments[0] = this, e.apply(null, arguments), this;
}
function hr() {
	return Array.from(this);
}
function gr() {
	for (var e = this._groups, t = 0, n = e.length; t < n; ++t) for (var r = e[t], i = 0, a = r.length; i < a; ++i) {
		var o = r[i];
		if (o) return o;
	}
	return null;
}
function _r() {
	let e = 0;
	for (let t of this) ++e;
	return e;
}
function vr() {
	return !this.node();
}
function yr(e) {
	for (var t = this._groups, n = 0, r = t.length; n < r; ++n) for (var i = t[n], a = 0, o = i.length, s; a < o; ++a) (s = i[a]) && e.call(s, s.__data__, a, i);
	return this;
}
function br(e) {
	return function() {
		this.removeAttribute(e);
	};
}
function xr(e) {
	return function() {
		this.removeAttributeNS(e.space, e.local);
	};
}
function Sr(e, t) {
	return function() {
		this.setAttribute(e, t);
	};
}
function Cr(e, t) {
	return function() {
		this.setAttributeNS(e.space, e.local, t);
	};
}
function wr(e, t) {
	return function() {
		var n = t.apply(this, arguments);
		n == null ? this.removeAttribute(e) : this.setAttribute(e, n);
	};
}
function Tr(e, t) {
	return function() {
		var n = t.apply(this, arguments);
		n == null ? this.removeAttributeNS(e.space, e.local) : this.setAttributeNS(e.space, e.local, n);
	};
}
function Er(e, t) {
	var n = An(e);
	if (arguments.length < 2) {
		var r = this.node();
		return n.local ? r.getAttributeNS(n.space, n.local) : r.getAttribute(n);
	}
	return this.each((t == null ? n.local ? xr : br : typeof t == "function" ? n.local ? Tr : wr : n.local ? Cr : Sr)(n, t));
}
function Dr(e) {
	return e.ownerDocument && e.ownerDocument.defaultView || e.document && e || e.defaultView;
}
function Or(e) {
	return function() {
		this.style.removeProperty(e);
	};
}
function kr(e, t, n) {
	return function() {
		this.style.setProperty(e, t, n);
	};
}
function Ar(e, t, n) {
	return function() {
		var r = t.apply(this, arguments);
		r == null ? this.style.removeProperty(e) : this.style.setProperty(e, r, n);
	};
}
function jr(e, t, n) {
	return arguments.length > 1 ? this.each((t == null ? Or : typeof t == "function" ? Ar : kr)(e, t, n ?? "")) : Mr(this.node(), e);
}
function Mr(e, t) {
	return e.style.getPropertyValue(t) || Dr(e).getComputedStyle(e, null).getPropertyValue(t);
}
function Nr(e) {
	return function() {
		delete this[e];
	};
}
function Pr(e, t) {
	return function() {
		this[e] = t;
	};
}
function Fr(e, t) {
	return function() {
		var n = t.apply(this, arguments);
		n == null ? delete this[e] : this[e] = n;
	};
}
function Ir(e, t) {
	return arguments.length > 1 ? this.each((t == null ? Nr : typeof t == "function" ? Fr : Pr)(e, t)) : this.node()[e];
}
function Lr(e) {
	return e.trim().split(/^|\s+/);
}
function Rr(e) {
	return e.classList || new zr(e);
}
function zr(e) {
	this._node = e, this._names = Lr(e.getAttribute("class") || "");
}
zr.prototype = {
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
function Br(e, t) {
	for (var n = Rr(e), r = -1, i = t.length; ++r < i;) n.add(t[r]);
}
function Vr(e, t) {
	for (var n = Rr(e), r = -1, i = t.length; ++r < i;) n.remove(t[r]);
}
function Hr(e) {
	return function() {
		Br(this, e);
	};
}
function Ur(e) {
	return function() {
		Vr(this, e);
	};
}
function Wr(e, t) {
	return function() {
		(t.apply(this, arguments) ? Br : Vr)(this, e);
	};
}
function Gr(e, t) {
	var n = Lr(e + "");
	if (arguments.length < 2) {
		for (var r = Rr(this.node()), i = -1, a = n.length; ++i < a;) if (!r.contains(n[i])) return !1;
		return !0;
	}
	return this.each((typeof t == "function" ? Wr : t ? Hr : Ur)(n, t));
}
function Kr() {
	this.textContent = "";
}
function qr(e) {
	return function() {
		this.textContent = e;
	};
}
function Jr(e) {
	return function() {
		var t = e.apply(this, arguments);
		this.textContent = t ?? "";
	};
}
function Yr(e) {
	return arguments.length ? this.each(e == null ? Kr : (typeof e == "function" ? Jr : qr)(e)) : this.node().textContent;
}
function Xr() {
	this.innerHTML = "";
}
function Zr(e) {
	return function() {
		this.innerHTML = e;
	};
}
function Qr(e) {
	return function() {
		var t = e.apply(this, arguments);
		this.innerHTML = t ?? "";
	};
}
function $r(e) {
	return arguments.length ? this.each(e == null ? Xr : (typeof e == "function" ? Qr : Zr)(e)) : this.node().innerHTML;
}
function ei() {
	this.nextSibling && this.parentNode.appendChild(this);
}
function ti() {
	return this.each(ei);
}
function ni() {
	this.previousSibling && this.parentNode.insertBefore(this, this.parentNode.firstChild);
}
function ri() {
	return this.each(ni);
}
function ii(e) {
	var t = typeof e == "function" ? e : Nn(e);
	return this.select(function() {
		return this.appendChild(t.apply(this, arguments));
	});
}
function ai() {
	return null;
}
function oi(e, t) {
	var n = typeof e == "function" ? e : Nn(e), r = t == null ? ai : typeof t == "function" ? t : Fn(t);
	return this.select(function() {
		return this.insertBefore(n.apply(this, arguments), r.apply(this, arguments) || null);
	});
}
function si() {
	var e = this.parentNode;
	e && e.removeChild(this);
}
function ci() {
	return this.each(si);
}
function li() {
	var e = this.cloneNode(!1), t = this.parentNode;
	return t ? t.insertBefore(e, this.nextSibling) : e;
}
function ui() {
	var e = this.cloneNode(!0), t = this.parentNode;
	return t ? t.insertBefore(e, this.nextSibling) : e;
}
function di(e) {
	return this.select(e ? ui : li);
}
function fi(e) {
	return arguments.length ? this.property("__data__", e) : this.node().__data__;
}
function pi(e) {
	return function(t) {
		e.call(this, t, this.__data__);
	};
}
function mi(e) {
	return e.trim().split(/^|\s+/).map(function(e) {
		var t = "", n = e.indexOf(".");
		return n >= 0 && (t = e.slice(n + 1), e = e.slice(0, n)), {
			type: e,
			name: t
		};
	});
}
function hi(e) {
	return function() {
		var t = this.__on;
		if (t) {
			for (var n = 0, r = -1, i = t.length, a; n < i; ++n) a = t[n], (!e.type || a.type === e.type) && a.name === e.name ? this.removeEventListener(a.type, a.listener, a.options) : t[++r] = a;
			++r ? t.length = r : delete this.__on;
		}
	};
}
function gi(e, t, n) {
	return function() {
		var r = this.__on, i, a = pi(t);
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
function _i(e, t, n) {
	var r = mi(e + ""), i, a = r.length, o;
	if (arguments.length < 2) {
		var s = this.node().__on;
		if (s) {
			for (var c = 0, l = s.length, u; c < l; ++c) for (i = 0, u = s[c]; i < a; ++i) if ((o = r[i]).type === u.type && o.name === u.name) return u.value;
		}
	} else {
		for (s = t ? gi : hi, i = 0; i < a; ++i) this.each(s(r[i], t, n));
		return this;
	}
}
function vi(e, t, n) {
	var r = Dr(e), i = r.CustomEvent;
	typeof i == "function" ? i = new i(t, n) : (i = r.document.createEvent("Event"), n ? (i.initEvent(t, n.bubbles, n.cancelable), i.detail = n.detail) : i.initEvent(t, !1, !1)), e.dispatchEvent(i);
}
function yi(e, t) {
	return function() {
		return vi(this, e, t);
	};
}
function bi(e, t) {
	return function() {
		return vi(this, e, t.apply(this, arguments));
	};
}
function xi(e, t) {
	return this.each((typeof t == "function" ? bi : yi)(e, t));
}
function* Si() {
	for (var e = this._groups, t = 0, n = e.length; t < n; ++t) for (var r = e[t], i = 0, a = r.length, o; i < a; ++i) (o = r[i]) && (yield o);
}
var Ci = [null];
function U(e, t) {
	this._groups = e, this._parents = t;
}
function wi() {
	return new U([[document.documentElement]], Ci);
}
function Ti() {
	return this;
}
U.prototype = wi.prototype = {
	constructor: U,
	select: In,
	selectAll: Vn,
	selectChild: qn,
	selectChildren: Zn,
	filter: Qn,
	data: or,
	enter: er,
	exit: cr,
	join: lr,
	merge: ur,
	selection: Ti,
	order: dr,
	sort: fr,
	call: mr,
	nodes: hr,
	node: gr,
	size: _r,
	empty: vr,
	each: yr,
	attr: Er,
	style: jr,
	property: Ir,
	classed: Gr,
	text: Yr,
	html: $r,
	raise: ti,
	lower: ri,
	append: ii,
	insert: oi,
	remove: ci,
	clone: di,
	datum: fi,
	on: _i,
	dispatch: xi,
	[Symbol.iterator]: Si
};
function Ei(e) {
	return typeof e == "string" ? new U([[document.querySelector(e)]], [document.documentElement]) : new U([[e]], Ci);
}
var Di = 0;
function Oi() {
	return new ki();
}
function ki() {
	this._ = "@" + (++Di).toString(36);
}
ki.prototype = Oi.prototype = {
	constructor: ki,
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
function Ai(e) {
	let t;
	for (; t = e.sourceEvent;) e = t;
	return e;
}
function ji(e, t) {
	if (e = Ai(e), t === void 0 && (t = e.currentTarget), t) {
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
var Mi = { value: () => {} };
function Ni() {
	for (var e = 0, t = arguments.length, n = {}, r; e < t; ++e) {
		if (!(r = arguments[e] + "") || r in n || /[\s.]/.test(r)) throw Error("illegal type: " + r);
		n[r] = [];
	}
	return new Pi(n);
}
function Pi(e) {
	this._ = e;
}
function Fi(e, t) {
	return e.trim().split(/^|\s+/).map(function(e) {
		var n = "", r = e.indexOf(".");
		if (r >= 0 && (n = e.slice(r + 1), e = e.slice(0, r)), e && !t.hasOwnProperty(e)) throw Error("unknown type: " + e);
		return {
			type: e,
			name: n
		};
	});
}
Pi.prototype = Ni.prototype = {
	constructor: Pi,
	on: function(e, t) {
		var n = this._, r = Fi(e + "", n), i, a = -1, o = r.length;
		if (arguments.length < 2) {
			for (; ++a < o;) if ((i = (e = r[a]).type) && (i = Ii(n[i], e.name))) return i;
		} else {
			if (t != null && typeof t != "function") throw Error("invalid callback: " + t);
			for (; ++a < o;) if (i = (e = r[a]).type) n[i] = Li(n[i], e.name, t);
			else if (t == null) for (i in n) n[i] = Li(n[i], e.name, null);
			return this;
		}
	},
	copy: function() {
		var e = {}, t = this._;
		for (var n in t) e[n] = t[n].slice();
		return new Pi(e);
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
function Ii(e, t) {
	for (var n = 0, r = e.length, i; n < r; ++n) if ((i = e[n]).name === t) return i.value;
}
function Li(e, t, n) {
	for (var r = 0, i = e.length; r < i; ++r) if (e[r].name === t) {
		e[r] = Mi, e = e.slice(0, r).concat(e.slice(r + 1));
		break;
	}
	return n != null && e.push({
		name: t,
		value: n
	}), e;
}
// node_modules/d3-drag/dist/d3-drag.mjs
var Ri = {
	capture: !0,
	passive: !1
};
function zi(e) {
	e.preventDefault(), e.stopImmediatePropagation();
}
function Bi(e) {
	var t = e.document.documentElement, n = Ei(e).on("dragstart.drag", zi, Ri);
	"onselectstart" in t ? n.on("selectstart.drag", zi, Ri) : (t.__noselect = t.style.MozUserSelect, t.style.MozUserSelect = "none");
}
function Vi(e, t) {
	var n = e.document.documentElement, r = Ei(e).on("dragstart.drag", null);
	t && (r.on("click.drag", zi, Ri), setTimeout(function() {
		r.on("click.drag", null);
	}, 0)), "onselectstart" in n ? r.on("selectstart.drag", null) : (n.style.MozUserSelect = n.__noselect, delete n.__noselect);
}
function Hi(e, { sourceEvent: t, subject: n, target: r, identifier: i, active: a, x: o, y: s, dx: c, dy: l, dispatch: u }) {
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
Hi.prototype.on = function() {
	var e = this._.on.apply(this._, arguments);
	return e === this._ ? this : e;
};
// node_modules/d3-color/dist/d3-color.mjs
function Ui(e, t, n) {
	e.prototype = t.prototype = n, n.constructor = e;
}
function Wi(e, t) {
	var n = Object.create(e.prototype);
	for (var r in t) n[r] = t[r];
	return n;
}
function Gi() {}
var Ki = .7, qi = 1 / Ki, Ji = "\\s*([+-]?\\d+)\\s*", Yi = "\\s*([+-]?(?:\\d*\\.)?\\d+(?:[eE][+-]?\\d+)?)\\s*", W = "\\s*([+-]?(?:\\d*\\.)?\\d+(?:[eE][+-]?\\d+)?)%\\s*", Xi = /^#([0-9a-f]{3,8})$/, Zi = RegExp(`^rgb\\(${Ji},${Ji},${Ji}\\)$`), Qi = RegExp(`^rgb\\(${W},${W},${W}\\)$`), $i = RegExp(`^rgba\\(${Ji},${Ji},${Ji},${Yi}\\)$`), ea = RegExp(`^rgba\\(${W},${W},${W},${Yi}\\)$`), ta = RegExp(`^hsl\\(${Yi},${W},${W}\\)$`), na = RegExp(`^hsla\\(${Yi},${W},${W},${Yi}\\)$`), ra = {
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
Ui(Gi, ca, {
	copy(e) {
		return Object.assign(new this.constructor(), this, e);
	},
	displayable() {
		return this.rgb().displayable();
	},
	hex: ia,
	formatHex: ia,
	formatHex8: aa,
	formatHsl: oa,
	formatRgb: sa,
	toString: sa
});
function ia() {
	return this.rgb().formatHex();
}
function aa() {
	return this.rgb().formatHex8();
}
function oa() {
	return ba(this).formatHsl();
}
function sa() {
	return this.rgb().formatRgb();
}
function ca(e) {
	var t, n;
	return e = (e + "").trim().toLowerCase(), (t = Xi.exec(e)) ? (n = t[1].length, t = parseInt(t[1], 16), n === 6 ? la(t) : n === 3 ? new G(t >> 8 & 15 | t >> 4 & 240, t >> 4 & 15 | t & 240, (t & 15) << 4 | t & 15, 1) : n === 8 ? ua(t >> 24 & 255, t >> 16 & 255, t >> 8 & 255, (t & 255) / 255) : n === 4 ? ua(t >> 12 & 15 | t >> 8 & 240, t >> 8 & 15 | t >> 4 & 240, t >> 4 & 15 | t & 240, ((t & 15) << 4 | t & 15) / 255) : null) : (t = Zi.exec(e)) ? new G(t[1], t[2], t[3], 1) : (t = Qi.exec(e)) ? new G(t[1] * 255 / 100, t[2] * 255 / 100, t[3] * 255 / 100, 1) : (t = $i.exec(e)) ? ua(t[1], t[2], t[3], t[4]) : (t = ea.exec(e)) ? ua(t[1] * 255 / 100, t[2] * 255 / 100, t[3] * 255 / 100, t[4]) : (t = ta.exec(e)) ? ya(t[1], t[2] / 100, t[3] / 100, 1) : (t = na.exec(e)) ? ya(t[1], t[2] / 100, t[3] / 100, t[4]) : ra.hasOwnProperty(e) ? la(ra[e]) : e === "transparent" ? new G(NaN, NaN, NaN, 0) : null;
}
function la(e) {
	return new G(e >> 16 & 255, e >> 8 & 255, e & 255, 1);
}
function ua(e, t, n, r) {
	return r <= 0 && (e = t = n = NaN), new G(e, t, n, r);
}
function da(e) {
	return e instanceof Gi || (e = ca(e)), e ? (e = e.rgb(), new G(e.r, e.g, e.b, e.opacity)) : new G();
}
function fa(e, t, n, r) {
	return arguments.length === 1 ? da(e) : new G(e, t, n, r ?? 1);
}
function G(e, t, n, r) {
	this.r = +e, this.g = +t, this.b = +n, this.opacity = +r;
}
Ui(G, fa, Wi(Gi, {
	brighter(e) {
		return e = e == null ? qi : qi ** +e, new G(this.r * e, this.g * e, this.b * e, this.opacity);
	},
	darker(e) {
		return e = e == null ? Ki : Ki ** +e, new G(this.r * e, this.g * e, this.b * e, this.opacity);
	},
	rgb() {
		return this;
	},
	clamp() {
		return new G(_a(this.r), _a(this.g), _a(this.b), ga(this.opacity));
	},
	displayable() {
		return -.5 <= this.r && this.r < 255.5 && -.5 <= this.g && this.g < 255.5 && -.5 <= this.b && this.b < 255.5 && 0 <= this.opacity && this.opacity <= 1;
	},
	hex: pa,
	formatHex: pa,
	formatHex8: ma,
	formatRgb: ha,
	toString: ha
}));
function pa() {
	return `#${va(this.r)}${va(this.g)}${va(this.b)}`;
}
function ma() {
	return `#${va(this.r)}${va(this.g)}${va(this.b)}${va((isNaN(this.opacity) ? 1 : this.opacity) * 255)}`;
}
function ha() {
	let e = ga(this.opacity);
	return `${e === 1 ? "rgb(" : "rgba("}${_a(this.r)}, ${_a(this.g)}, ${_a(this.b)}${e === 1 ? ")" : `, ${e})`}`;
}
function ga(e) {
	return isNaN(e) ? 1 : Math.max(0, Math.min(1, e));
}
function _a(e) {
	return Math.max(0, Math.min(255, Math.round(e) || 0));
}
function va(e) {
	return e = _a(e), (e < 16 ? "0" : "") + e.toString(16);
}
function ya(e, t, n, r) {
	return r <= 0 ? e = t = n = NaN : n <= 0 || n >= 1 ? e = t = NaN : t <= 0 && (e = NaN), new K(e, t, n, r);
}
function ba(e) {
	if (e instanceof K) return new K(e.h, e.s, e.l, e.opacity);
	if (e instanceof Gi || (e = ca(e)), !e) return new K();
	if (e instanceof K) return e;
	e = e.rgb();
	var t = e.r / 255, n = e.g / 255, r = e.b / 255, i = Math.min(t, n, r), a = Math.max(t, n, r), o = NaN, s = a - i, c = (a + i) / 2;
	return s ? (o = t === a ? (n - r) / s + (n < r) * 6 : n === a ? (r - t) / s + 2 : (t - n) / s + 4, s /= c < .5 ? a + i : 2 - a - i, o *= 60) : s = c > 0 && c < 1 ? 0 : o, new K(o, s, c, e.opacity);
}
function xa(e, t, n, r) {
	return arguments.length === 1 ? ba(e) : new K(e, t, n, r ?? 1);
}
function K(e, t, n, r) {
	this.h = +e, this.s = +t, this.l = +n, this.opacity = +r;
}
Ui(K, xa, Wi(Gi, {
	brighter(e) {
		return e = e == null ? qi : qi ** +e, new K(this.h, this.s, this.l * e, this.opacity);
	},
	darker(e) {
		return e = e == null ? Ki : Ki ** +e, new K(this.h, this.s, this.l * e, this.opacity);
	},
	rgb() {
		var e = this.h % 360 + (this.h < 0) * 360, t = isNaN(e) || isNaN(this.s) ? 0 : this.s, n = this.l, r = n + (n < .5 ? n : 1 - n) * t, i = 2 * n - r;
		return new G(wa(e >= 240 ? e - 240 : e + 120, i, r), wa(e, i, r), wa(e < 120 ? e + 240 : e - 120, i, r), this.opacity);
	},
	clamp() {
		return new K(Sa(this.h), Ca(this.s), Ca(this.l), ga(this.opacity));
	},
	displayable() {
		return (0 <= this.s && this.s <= 1 || isNaN(this.s)) && 0 <= this.l && this.l <= 1 && 0 <= this.opacity && this.opacity <= 1;
	},
	formatHsl() {
		let e = ga(this.opacity);
		return `${e === 1 ? "hsl(" : "hsla("}${Sa(this.h)}, ${Ca(this.s) * 100}%, ${Ca(this.l) * 100}%${e === 1 ? ")" : `, ${e})`}`;
	}
}));
function Sa(e) {
	return e = (e || 0) % 360, e < 0 ? e + 360 : e;
}
function Ca(e) {
	return Math.max(0, Math.min(1, e || 0));
}
function wa(e, t, n) {
	return (e < 60 ? t + (n - t) * e / 60 : e < 180 ? n : e < 240 ? t + (n - t) * (240 - e) / 60 : t) * 255;
}
var Ta = Math.PI / 180, Ea = 180 / Math.PI, Da = 18, Oa = .96422, ka = 1, Aa = .82521, ja = 4 / 29, Ma = 6 / 29, Na = 3 * Ma * Ma, Pa = Ma * Ma * Ma;
function Fa(e) {
	if (e instanceof q) return new q(e.l, e.a, e.b, e.opacity);
	if (e instanceof J) return Ua(e);
	e instanceof G || (e = da(e));
	var t = Ba(e.r), n = Ba(e.g), r = Ba(e.b), i = La((.2225045 * t + .7168786 * n + .0606169 * r) / ka), a, o;
	return t === n && n === r ? a = o = i : (a = La((.4360747 * t + .3850649 * n + .1430804 * r) / Oa), o = La((.0139322 * t + .0971045 * n + .7141733 * r) / Aa)), new q(116 * i - 16, 500 * (a - i), 200 * (i - o), e.opacity);
}
function Ia(e, t, n, r) {
	return arguments.length === 1 ? Fa(e) : new q(e, t, n, r ?? 1);
}
function q(e, t, n, r) {
	this.l = +e, this.a = +t, this.b = +n, this.opacity = +r;
}
Ui(q, Ia, Wi(Gi, {
	brighter(e) {
		return new q(this.l + Da * (e ?? 1), this.a, this.b, this.opacity);
	},
	darker(e) {
		return new q(this.l - Da * (e ?? 1), this.a, this.b, this.opacity);
	},
	rgb() {
		var e = (this.l + 16) / 116, t = isNaN(this.a) ? e : e + this.a / 500, n = isNaN(this.b) ? e : e - this.b / 200;
		return t = Oa * Ra(t), e = ka * Ra(e), n = Aa * Ra(n), new G(za(3.1338561 * t - 1.6168667 * e - .4906146 * n), za(-.9787684 * t + 1.9161415 * e + .033454 * n), za(.0719453 * t - .2289914 * e + 1.4052427 * n), this.opacity);
	}
}));
function La(e) {
	return e > Pa ? e ** (1 / 3) : e / Na + ja;
}
function Ra(e) {
	return e > Ma ? e * e * e : Na * (e - ja);
}
function za(e) {
	return 255 * (e <= .0031308 ? 12.92 * e : 1.055 * e ** (1 / 2.4) - .055);
}
function Ba(e) {
	return (e /= 255) <= .04045 ? e / 12.92 : ((e + .055) / 1.055) ** 2.4;
}
function Va(e) {
	if (e instanceof J) return new J(e.h, e.c, e.l, e.opacity);
	if (e instanceof q || (e = Fa(e)), e.a === 0 && e.b === 0) return new J(NaN, 0 < e.l && e.l < 100 ? 0 : NaN, e.l, e.opacity);
	var t = Math.atan2(e.b, e.a) * Ea;
	return new J(t < 0 ? t + 360 : t, Math.sqrt(e.a * e.a + e.b * e.b), e.l, e.opacity);
}
function Ha(e, t, n, r) {
	return arguments.length === 1 ? Va(e) : new J(e, t, n, r ?? 1);
}
function J(e, t, n, r) {
	this.h = +e, this.c = +t, this.l = +n, this.opacity = +r;
}
function Ua(e) {
	if (isNaN(e.h)) return new q(e.l, 0, 0, e.opacity);
	var t = e.h * Ta;
	return new q(e.l, Math.cos(t) * e.c, Math.sin(t) * e.c, e.opacity);
}
Ui(J, Ha, Wi(Gi, {
	brighter(e) {
		return new J(this.h, this.c, this.l + Da * (e ?? 1), this.opacity);
	},
	darker(e) {
		return new J(this.h, this.c, this.l - Da * (e ?? 1), this.opacity);
	},
	rgb() {
		return Ua(this).rgb();
	}
}));
var Wa = -.14861, Ga = 1.78277, Ka = -.29227, qa = -.90649, Ja = 1.97294, Ya = Ja * qa, Xa = Ja * Ga, Za = Ga * Ka - qa * Wa;
function Qa(e) {
	if (e instanceof eo) return new eo(e.h, e.s, e.l, e.opacity);
	e instanceof G || (e = da(e));
	var t = e.r / 255, n = e.g / 255, r = e.b / 255, i = (Za * r + Ya * t - Xa * n) / (Za + Ya - Xa), a = r - i, o = (Ja * (n - i) - Ka * a) / qa, s = Math.sqrt(o * o + a * a) / (Ja * i * (1 - i)), c = s ? Math.atan2(o, a) * Ea - 120 : NaN;
	return new eo(c < 0 ? c + 360 : c, s, i, e.opacity);
}
function $a(e, t, n, r) {
	return arguments.length === 1 ? Qa(e) : new eo(e, t, n, r ?? 1);
}
function eo(e, t, n, r) {
	this.h = +e, this.s = +t, this.l = +n, this.opacity = +r;
}
Ui(eo, $a, Wi(Gi, {
	brighter(e) {
		return e = e == null ? qi : qi ** +e, new eo(this.h, this.s, this.l * e, this.opacity);
	},
	darker(e) {
		return e = e == null ? Ki : Ki ** +e, new eo(this.h, this.s, this.l * e, this.opacity);
	},
	rgb() {
		var e = isNaN(this.h) ? 0 : (this.h + 120) * Ta, t = +this.l, n = isNaN(this.s) ? 0 : this.s * t * (1 - t), r = Math.cos(e), i = Math.sin(e);
		return new G(255 * (t + n * (Wa * r + Ga * i)), 255 * (t + n * (Ka * r + qa * i)), 255 * (t + Ja * r * n), this.opacity);
	}
}));
var to = (e) => () => e;
function no(e, t) {
	return function(n) {
		return e + n * t;
	};
}
function ro(e, t, n) {
	return e **= +n, t = t ** +n - e, n = 1 / n, function(r) {
		return (e + r * t) ** +n;
	};
}
function io(e, t) {
	var n = t - e;
	return n ? no(e, n > 180 || n < -180 ? n - 360 * Math.round(n / 360) : n) : to(isNaN(e) ? t : e);
}
function ao(e) {
	return (e = +e) == 1 ? Y : function(t, n) {
		return n - t ? ro(t, n, e) : to(isNaN(t) ? n : t);
	};
}
function Y(e, t) {
	var n = t - e;
	return n ? no(e, n) : to(isNaN(e) ? t : e);
}
var oo = (function e(t) {
	var n = ao(t);
	function r(e, t) {
		var r = n((e = fa(e)).r, (t = fa(t)).r), i = n(e.g, t.g), a = n(e.b, t.b), o = Y(e.opacity, t.opacity);
		return function(t) {
			return e.r = r(t), e.g = i(t), e.b = a(t), e.opacity = o(t), e + "";
		};
	}
	return r.gamma = e, r;
})(1);
function so(e, t) {
	t ||= [];
	var n = e ? Math.min(t.length, e.length) : 0, r = t.slice(), i;
	return function(a) {
		for (i = 0; i < n; ++i) r[i] = e[i] * (1 - a) + t[i] * a;
		return r;
	};
}
function co(e) {
	return ArrayBuffer.isView(e) && !(e instanceof DataView);
}
function lo(e, t) {
	for (var n = t ? t.length : 0, r = e ? Math.min(n, e.length) : 0, i = Array(r), a = Array(n), o = 0; o < r; ++o) i[o] = vo(e[o], t[o]);
	for (; o < n; ++o) a[o] = t[o];
	return function(e) {
		for (o = 0; o < r; ++o) a[o] = i[o](e);
		return a;
	};
}
function uo(e, t) {
	var n = /* @__PURE__ */ new Date();
	return e = +e, t = +t, function(r) {
		return n.setTime(e * (1 - r) + t * r), n;
	};
}
function X(e, t) {
	return e = +e, t = +t, function(n) {
		return e * (1 - n) + t * n;
	};
}
function fo(e, t) {
	var n = {}, r = {}, i;
	for (i in typeof e == "object" && e || (e = {}), typeof t == "object" && t || (t = {}), t) i in e ? n[i] = vo(e[i], t[i]) : r[i] = t[i];
	return function(e) {
		for (i in n) r[i] = n[i](e);
		return r;
	};
}
var po = /[-+]?(?:\d+\.?\d*|\.?\d+)(?:[eE][-+]?\d+)?/g, mo = new RegExp(po.source, "g");
function ho(e) {
	return function() {
		return e;
	};
}
function go(e) {
	return function(t) {
		return e(t) + "";
	};
}
function _o(e, t) {
	var n = po.lastIndex = mo.lastIndex = 0, r, i, a, o = -1, s = [], c = [];
	for (e += "", t += ""; (r = po.exec(e)) && (i = mo.exec(t));) (a = i.index) > n && (a = t.slice(n, a), s[o] ? s[o] += a : s[++o] = a), (r = r[0]) === (i = i[0]) ? s[o] ? s[o] += i : s[++o] = i : (s[++o] = null, c.push({
		i: o,
		x: X(r, i)
	})), n = mo.lastIndex;
	return n < t.length && (a = t.slice(n), s[o] ? s[o] += a : s[++o] = a), s.length < 2 ? c[0] ? go(c[0].x) : ho(t) : (t = c.length, function(e) {
		for (var n = 0, r; n < t; ++n) s[(r = c[n]).i] = r.x(e);
		return s.join("");
	});
}
function vo(e, t) {
	var n = typeof t, r;
	return t == null || n === "boolean" ? to(t) : (n === "number" ? X : n === "string" ? (r = ca(t)) ? (t = r, oo) : _o : t instanceof ca ? oo : t instanceof Date ? uo : co(t) ? so : Array.isArray(t) ? lo : typeof t.valueOf != "function" && typeof t.toString != "function" || isNaN(t) ? fo : X)(e, t);
}
var yo = 180 / Math.PI, bo = {
	translateX: 0,
	translateY: 0,
	rotate: 0,
	skewX: 0,
	scaleX: 1,
	scaleY: 1
};
function xo(e, t, n, r, i, a) {
	var o, s, c;
	return (o = Math.sqrt(e * e + t * t)) && (e /= o, t /= o), (c = e * n + t * r) && (n -= e * c, r -= t * c), (s = Math.sqrt(n * n + r * r)) && (n /= s, r /= s, c /= s), e * r < t * n && (e = -e, t = -t, c = -c, o = -o), {
		translateX: i,
		translateY: a,
		rotate: Math.atan2(t, e) * yo,
		skewX: Math.atan(c) * yo,
		scaleX: o,
		scaleY: s
	};
}
var So;
function Co(e) {
	let t = new (typeof DOMMatrix == "function" ? DOMMatrix : WebKitCSSMatrix)(e + "");
	return t.isIdentity ? bo : xo(t.a, t.b, t.c, t.d, t.e, t.f);
}
function wo(e) {
	return e == null || (So ||= document.createElementNS("http://www.w3.org/2000/svg", "g"), So.setAttribute("transform", e), !(e = So.transform.baseVal.consolidate())) ? bo : (e = e.matrix, xo(e.a, e.b, e.c, e.d, e.e, e.f));
}
function To(e, t, n, r) {
	function i(e) {
		return e.length ? e.pop() + " " : "";
	}
	function a(e, r, i, a, o, s) {
		if (e !== i || r !== a) {
			var c = o.push("translate(", null, t, null, n);
			s.push({
				i: c - 4,
				x: X(e, i)
			}, {
				i: c - 2,
				x: X(r, a)
			});
		} else (i || a) && o.push("translate(" + i + t + a + n);
	}
	function o(e, t, n, a) {
		e === t ? t && n.push(i(n) + "rotate(" + t + r) : (e - t > 180 ? t += 360 : t - e > 180 && (e += 360), a.push({
			i: n.push(i(n) + "rotate(", null, r) - 2,
			x: X(e, t)
		}));
	}
	function s(e, t, n, a) {
		e === t ? t && n.push(i(n) + "skewX(" + t + r) : a.push({
			i: n.push(i(n) + "skewX(", null, r) - 2,
			x: X(e, t)
		});
	}
	function c(e, t, n, r, a, o) {
		if (e !== n || t !== r) {
			var s = a.push(i(a) + "scale(", null, ",", null, ")");
			o.push({
				i: s - 4,
				x: X(e, n)
			}, {
				i: s - 2,
				x: X(t, r)
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
var Eo = To(Co, "px, ", "px)", "deg)"), Do = To(wo, ", ", ")", ")"), Oo = 1e-12;
function ko(e) {
	return ((e = Math.exp(e)) + 1 / e) / 2;
}
function Ao(e) {
	return ((e = Math.exp(e)) - 1 / e) / 2;
}
function jo(e) {
	return ((e = Math.exp(2 * e)) - 1) / (e + 1);
}
var Mo = (function e(t, n, r) {
	function i(e, i) {
		var a = e[0], o = e[1], s = e[2], c = i[0], l = i[1], u = i[2], d = c - a, f = l - o, p = d * d + f * f, m, h;
		if (p < Oo) h = Math.log(u / s) / t, m = function(e) {
			return [
				a + e * d,
				o + e * f,
				s * Math.exp(t * e * h)
			];
		};
		else {
			var g = Math.sqrt(p), _ = (u * u - s * s + r * p) / (2 * s * n * g), v = (u * u - s * s - r * p) / (2 * u * n * g), y = Math.log(Math.sqrt(_ * _ + 1) - _);
			h = (Math.log(Math.sqrt(v * v + 1) - v) - y) / t, m = function(e) {
				var r = e * h, i = ko(y), c = s / (n * g) * (i * jo(t * r + y) - Ao(y));
				return [
					a + c * d,
					o + c * f,
					s * i / ko(t * r + y)
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
function No(e, t) {
	var n = Y((e = Ia(e)).l, (t = Ia(t)).l), r = Y(e.a, t.a), i = Y(e.b, t.b), a = Y(e.opacity, t.opacity);
	return function(t) {
		return e.l = n(t), e.a = r(t), e.b = i(t), e.opacity = a(t), e + "";
	};
}
function Po(e) {
	return (function t(n) {
		n = +n;
		function r(t, r) {
			var i = e((t = $a(t)).h, (r = $a(r)).h), a = Y(t.s, r.s), o = Y(t.l, r.l), s = Y(t.opacity, r.opacity);
			return function(e) {
				return t.h = i(e), t.s = a(e), t.l = o(e ** +n), t.opacity = s(e), t + "";
			};
		}
		return r.gamma = t, r;
	})(1);
}
Po(io), Po(Y);
function Fo(e, t) {
	t === void 0 && (t = e, e = vo);
	for (var n = 0, r = t.length - 1, i = t[0], a = Array(r < 0 ? 0 : r); n < r;) a[n] = e(i, i = t[++n]);
	return function(e) {
		var t = Math.max(0, Math.min(r - 1, Math.floor(e *= r)));
		return a[t](e - t);
	};
}
// node_modules/d3-timer/dist/d3-timer.mjs
var Io = 0, Lo = 0, Ro = 0, zo = 1e3, Bo, Vo, Ho = 0, Uo = 0, Wo = 0, Go = typeof performance == "object" && performance.now ? performance : Date, Ko = typeof window == "object" && window.requestAnimationFrame ? window.requestAnimationFrame.bind(window) : function(e) {
	setTimeout(e, 17);
};
function qo() {
	return Uo ||= (Ko(Jo), Go.now() + Wo);
}
function Jo() {
	Uo = 0;
}
function Yo() {
	this._call = this._time = this._next = null;
}
Yo.prototype = Xo.prototype = {
	constructor: Yo,
	restart: function(e, t, n) {
		if (typeof e != "function") throw TypeError("callback is not a function");
		n = (n == null ? qo() : +n) + (t == null ? 0 : +t), !this._next && Vo !== this && (Vo ? Vo._next = this : Bo = this, Vo = this), this._call = e, this._time = n, ts();
	},
	stop: function() {
		this._call && (this._call = null, this._time = Infinity, ts());
	}
};
function Xo(e, t, n) {
	var r = new Yo();
	return r.restart(e, t, n), r;
}
function Zo() {
	qo(), ++Io;
	for (var e = Bo, t; e;) (t = Uo - e._time) >= 0 && e._call.call(void 0, t), e = e._next;
	--Io;
}
function Qo() {
	Uo = (Ho = Go.now()) + Wo, Io = Lo = 0;
	try {
		Zo();
	} finally {
		Io = 0, es(), Uo = 0;
	}
}
function $o() {
	var e = Go.now(), t = e - Ho;
	t > zo && (Wo -= t, Ho = e);
}
function es() {
	for (var e, t = Bo, n, r = Infinity; t;) t._call ? (r > t._time && (r = t._time), e = t, t = t._next) : (n = t._next, t._next = null, t = e ? e._next = n : Bo = n);
	Vo = e, ts(r);
}
function ts(e) {
	Io || (Lo &&= clearTimeout(Lo), e - Uo > 24 ? (e < Infinity && (Lo = setTimeout(Qo, Math.ceil(e - Go.now() - Wo) + 1)), Ro &&= clearInterval(Ro)) : (Ro ||= (Ho = Go.now(), setInterval($o, zo)), Io = 1, Ko(Qo)));
}
function ns(e, t, n) {
	var r = new Yo();
	return t = t == null ? 0 : +t, r.restart((n) => {
		r.stop(), e(n + t);
	}, t, n), r;
}
// node_modules/d3-ease/dist/d3-ease.mjs
function rs(e) {
	return ((e *= 2) <= 1 ? e * e * e : (e -= 2) * e * e + 2) / 2;
}
var is = 3;
(function e(t) {
	t = +t;
	function n(e) {
		return e ** +t;
	}
	return n.exponent = e, n;
})(is), (function e(t) {
	t = +t;
	function n(e) {
		return 1 - (1 - e) ** t;
	}
	return n.exponent = e, n;
})(is), (function e(t) {
	t = +t;
	function n(e) {
		return ((e *= 2) <= 1 ? e ** +t : 2 - (2 - e) ** t) / 2;
	}
	return n.exponent = e, n;
})(is);
function as(e) {
	return (2 ** (-10 * e) - .0009765625) * 1.0009775171065494;
}
var os = 4 / 11;
1 / os / os;
var ss = 1.70158;
(function e(t) {
	t = +t;
	function n(e) {
		return (e = +e) * e * (t * (e - 1) + e);
	}
	return n.overshoot = e, n;
})(ss), (function e(t) {
	t = +t;
	function n(e) {
		return --e * e * ((e + 1) * t + e) + 1;
	}
	return n.overshoot = e, n;
})(ss), (function e(t) {
	t = +t;
	function n(e) {
		return ((e *= 2) < 1 ? e * e * ((t + 1) * e - t) : (e -= 2) * e * ((t + 1) * e + t) + 2) / 2;
	}
	return n.overshoot = e, n;
})(ss);
var cs = 2 * Math.PI, ls = 1, us = .3;
(function e(t, n) {
	var r = Math.asin(1 / (t = Math.max(1, t))) * (n /= cs);
	function i(e) {
		return t * as(- --e) * Math.sin((r - e) / n);
	}
	return i.amplitude = function(t) {
		return e(t, n * cs);
	}, i.period = function(n) {
		return e(t, n);
	}, i;
})(ls, us), (function e(t, n) {
	var r = Math.asin(1 / (t = Math.max(1, t))) * (n /= cs);
	function i(e) {
		return 1 - t * as(e = +e) * Math.sin((e + r) / n);
	}
	return i.amplitude = function(t) {
		return e(t, n * cs);
	}, i.period = function(n) {
		return e(t, n);
	}, i;
})(ls, us), (function e(t, n) {
	var r = Math.asin(1 / (t = Math.max(1, t))) * (n /= cs);
	function i(e) {
		return ((e = e * 2 - 1) < 0 ? t * as(-e) * Math.sin((r - e) / n) : 2 - t * as(e) * Math.sin((r + e) / n)) / 2;
	}
	return i.amplitude = function(t) {
		return e(t, n * cs);
	}, i.period = function(n) {
		return e(t, n);
	}, i;
})(ls, us);
// node_modules/d3-transition/dist/d3-transition.mjs
var ds = Ni("start", "end", "cancel", "interrupt"), fs = [], ps = 0, ms = 1, hs = 2, gs = 3, _s = 4, vs = 5, ys = 6;
function bs(e, t, n, r, i, a) {
	var o = e.__transition;
	if (!o) e.__transition = {};
	else if (n in o) return;
	Ss(e, n, {
		name: t,
		index: r,
		group: i,
		on: ds,
		tween: fs,
		time: a.time,
		delay: a.delay,
		duration: a.duration,
		ease: a.ease,
		timer: null,
		state: ps
	});
}
function xs(e, t) {
	var n = Q(e, t);
	if (n.state > ps) throw Error("too late; already scheduled");
	return n;
}
function Z(e, t) {
	var n = Q(e, t);
	if (n.state > gs) throw Error("too late; already running");
	return n;
}
function Q(e, t) {
	var n = e.__transition;
	if (!n || !(n = n[t])) throw Error("transition not found");
	return n;
}
function Ss(e, t, n) {
	var r = e.__transition, i;
	r[t] = n, n.timer = Xo(a, 0, n.time);
	function a(e) {
		n.state = ms, n.timer.restart(o, n.delay, n.time), n.delay <= e && o(e - n.delay);
	}
	function o(a) {
		var l, u, d, f;
		if (n.state !== ms) return c();
		for (l in r) if (f = r[l], f.name === n.name) {
			if (f.state === gs) return ns(o);
			f.state === _s ? (f.state = ys, f.timer.stop(), f.on.call("interrupt", e, e.__data__, f.index, f.group), delete r[l]) : +l < t && (f.state = ys, f.timer.stop(), f.on.call("cancel", e, e.__data__, f.index, f.group), delete r[l]);
		}
		if (ns(function() {
			n.state === gs && (n.state = _s, n.timer.restart(s, n.delay, n.time), s(a));
		}), n.state = hs, n.on.call("start", e, e.__data__, n.index, n.group), n.state === hs) {
			for (n.state = gs, i = Array(d = n.tween.length), l = 0, u = -1; l < d; ++l) (f = n.tween[l].value.call(e, e.__data__, n.index, n.group)) && (i[++u] = f);
			i.length = u + 1;
		}
	}
	function s(t) {
		for (var r = t < n.duration ? n.ease.call(null, t / n.duration) : (n.timer.restart(c), n.state = vs, 1), a = -1, o = i.length; ++a < o;) i[a].call(e, r);
		n.state === vs && (n.on.call("end", e, e.__data__, n.index, n.group), c());
	}
	function c() {
		for (var i in n.state = ys, n.timer.stop(), delete r[t], r) return;
		delete e.__transition;
	}
}
function Cs(e, t) {
	var n = e.__transition, r, i, a = !0, o;
	if (n) {
		for (o in t = t == null ? null : t + "", n) (r = n[o]).name === t ? (i = r.state > hs && r.state < vs, r.state = ys, r.timer.stop(), r.on.call(i ? "interrupt" : "cancel", e, e.__data__, r.index, r.group), delete n[o]) : a = !1;
		a && delete e.__transition;
	}
}
function ws(e) {
	return this.each(function() {
		Cs(this, e);
	});
}
function Ts(e, t) {
	var n, r;
	return function() {
		var i = Z(this, e), a = i.tween;
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
function Es(e, t, n) {
	var r, i;
	if (typeof n != "function") throw Error();
	return function() {
		var a = Z(this, e), o = a.tween;
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
function Ds(e, t) {
	var n = this._id;
	if (e += "", arguments.length < 2) {
		for (var r = Q(this.node(), n).tween, i = 0, a = r.length, o; i < a; ++i) if ((o = r[i]).name === e) return o.value;
		return null;
	}
	return this.each((t == null ? Ts : Es)(n, e, t));
}
function Os(e, t, n) {
	var r = e._id;
	return e.each(function() {
		var e = Z(this, r);
		(e.value ||= {})[t] = n.apply(this, arguments);
	}), function(e) {
		return Q(e, r).value[t];
	};
}
function ks(e, t) {
	var n;
	return (typeof t == "number" ? X : t instanceof ca ? oo : (n = ca(t)) ? (t = n, oo) : _o)(e, t);
}
function As(e) {
	return function() {
		this.removeAttribute(e);
	};
}
function js(e) {
	return function() {
		this.removeAttributeNS(e.space, e.local);
	};
}
function Ms(e, t, n) {
	var r, i = n + "", a;
	return function() {
		var o = this.getAttribute(e);
		return o === i ? null : o === r ? a : a = t(r = o, n);
	};
}
function Ns(e, t, n) {
	var r, i = n + "", a;
	return function() {
		var o = this.getAttributeNS(e.space, e.local);
		return o === i ? null : o === r ? a : a = t(r = o, n);
	};
}
function Ps(e, t, n) {
	var r, i, a;
	return function() {
		var o, s = n(this), c;
		return s == null ? void this.removeAttribute(e) : (o = this.getAttribute(e), c = s + "", o === c ? null : o === r && c === i ? a : (i = c, a = t(r = o, s)));
	};
}
function Fs(e, t, n) {
	var r, i, a;
	return function() {
		var o, s = n(this), c;
		return s == null ? void this.removeAttributeNS(e.space, e.local) : (o = this.getAttributeNS(e.space, e.local), c = s + "", o === c ? null : o === r && c === i ? a : (i = c, a = t(r = o, s)));
	};
}
function Is(e, t) {
	var n = An(e), r = n === "transform" ? Do : ks;
	return this.attrTween(e, typeof t == "function" ? (n.local ? Fs : Ps)(n, r, Os(this, "attr." + e, t)) : t == null ? (n.local ? js : As)(n) : (n.local ? Ns : Ms)(n, r, t));
}
function Ls(e, t) {
	return function(n) {
		this.setAttribute(e, t.call(this, n));
	};
}
function Rs(e, t) {
	return function(n) {
		this.setAttributeNS(e.space, e.local, t.call(this, n));
	};
}
function zs(e, t) {
	var n, r;
	function i() {
		var i = t.apply(this, arguments);
		return i !== r && (n = (r = i) && Rs(e, i)), n;
	}
	return i._value = t, i;
}
function Bs(e, t) {
	var n, r;
	function i() {
		var i = t.apply(this, arguments);
		return i !== r && (n = (r = i) && Ls(e, i)), n;
	}
	return i._value = t, i;
}
function Vs(e, t) {
	var n = "attr." + e;
	if (arguments.length < 2) return (n = this.tween(n)) && n._value;
	if (t == null) return this.tween(n, null);
	if (typeof t != "function") throw Error();
	var r = An(e);
	return this.tween(n, (r.local ? zs : Bs)(r, t));
}
function Hs(e, t) {
	return function() {
		xs(this, e).delay = +t.apply(this, arguments);
	};
}
function Us(e, t) {
	return t = +t, function() {
		xs(this, e).delay = t;
	};
}
function Ws(e) {
	var t = this._id;
	return arguments.length ? this.each((typeof e == "function" ? Hs : Us)(t, e)) : Q(this.node(), t).delay;
}
function Gs(e, t) {
	return function() {
		Z(this, e).duration = +t.apply(this, arguments);
	};
}
function Ks(e, t) {
	return t = +t, function() {
		Z(this, e).duration = t;
	};
}
function qs(e) {
	var t = this._id;
	return arguments.length ? this.each((typeof e == "function" ? Gs : Ks)(t, e)) : Q(this.node(), t).duration;
}
function Js(e, t) {
	if (typeof t != "function") throw Error();
	return function() {
		Z(this, e).ease = t;
	};
}
function Ys(e) {
	var t = this._id;
	return arguments.length ? this.each(Js(t, e)) : Q(this.node(), t).ease;
}
function Xs(e, t) {
	return function() {
		var n = t.apply(this, arguments);
		if (typeof n != "function") throw Error();
		Z(this, e).ease = n;
	};
}
function Zs(e) {
	if (typeof e != "function") throw Error();
	return this.each(Xs(this._id, e));
}
function Qs(e) {
	typeof e != "function" && (e = Hn(e));
	for (var t = this._groups, n = t.length, r = Array(n), i = 0; i < n; ++i) for (var a = t[i], o = a.length, s = r[i] = [], c, l = 0; l < o; ++l) (c = a[l]) && e.call(c, c.__data__, l, a) && s.push(c);
	return new Dc(r, this._parents, this._name, this._id);
}
function $s(e) {
	if (e._id !== this._id) throw Error();
	for (var t = this._groups, n = e._groups, r = t.length, i = n.length, a = Math.min(r, i), o = Array(r), s = 0; s < a; ++s) for (var c = t[s], l = n[s], u = c.length, d = o[s] = Array(u), f, p = 0; p < u; ++p) (f = c[p] || l[p]) && (d[p] = f);
	for (; s < r; ++s) o[s] = t[s];
	return new Dc(o, this._parents, this._name, this._id);
}
function ec(e) {
	return (e + "").trim().split(/^|\s+/).every(function(e) {
		var t = e.indexOf(".");
		return t >= 0 && (e = e.slice(0, t)), !e || e === "start";
	});
}
function tc(e, t, n) {
	var r, i, a = ec(t) ? xs : Z;
	return function() {
		var o = a(this, e), s = o.on;
		s !== r && (i = (r = s).copy()).on(t, n), o.on = i;
	};
}
function nc(e, t) {
	var n = this._id;
	return arguments.length < 2 ? Q(this.node(), n).on.on(e) : this.each(tc(n, e, t));
}
function rc(e) {
	return function() {
		var t = this.parentNode;
		for (var n in this.__transition) if (+n !== e) return;
		t && t.removeChild(this);
	};
}
function ic() {
	return this.on("end.remove", rc(this._id));
}
function ac(e) {
	var t = this._name, n = this._id;
	typeof e != "function" && (e = Fn(e));
	for (var r = this._groups, i = r.length, a = Array(i), o = 0; o < i; ++o) for (var s = r[o], c = s.length, l = a[o] = Array(c), u, d, f = 0; f < c; ++f) (u = s[f]) && (d = e.call(u, u.__data__, f, s)) && ("__data__" in u && (d.__data__ = u.__data__), l[f] = d, bs(l[f], t, n, f, l, Q(u, n)));
	return new Dc(a, this._parents, t, n);
}
function oc(e) {
	var t = this._name, n = this._id;
	typeof e != "function" && (e = zn(e));
	for (var r = this._groups, i = r.length, a = [], o = [], s = 0; s < i; ++s) for (var c = r[s], l = c.length, u, d = 0; d < l; ++d) if (u = c[d]) {
		for (var f = e.call(u, u.__data__, d, c), p, m = Q(u, n), h = 0, g = f.length; h < g; ++h) (p = f[h]) && bs(p, t, n, h, f, m);
		a.push(f), o.push(u);
	}
	return new Dc(a, o, t, n);
}
var sc = wi.prototype.constructor;
function cc() {
	return new sc(this._groups, this._parents);
}
function lc(e, t) {
	var n, r, i;
	return function() {
		var a = Mr(this, e), o = (this.style.removeProperty(e), Mr(this, e));
		return a === o ? null : a === n && o === r ? i : i = t(n = a, r = o);
	};
}
function uc(e) {
	return function() {
		this.style.removeProperty(e);
	};
}
function dc(e, t, n) {
	var r, i = n + "", a;
	return function() {
		var o = Mr(this, e);
		return o === i ? null : o === r ? a : a = t(r = o, n);
	};
}
function fc(e, t, n) {
	var r, i, a;
	return function() {
		var o = Mr(this, e), s = n(this), c = s + "";
		return s ?? (c = s = (this.style.removeProperty(e), Mr(this, e))), o === c ? null : o === r && c === i ? a : (i = c, a = t(r = o, s));
	};
}
function pc(e, t) {
	var n, r, i, a = "style." + t, o = "end." + a, s;
	return function() {
		var c = Z(this, e), l = c.on, u = c.value[a] == null ? s ||= uc(t) : void 0;
		(l !== n || i !== u) && (r = (n = l).copy()).on(o, i = u), c.on = r;
	};
}
function mc(e, t, n) {
	var r = (e += "") == "transform" ? Eo : ks;
	return t == null ? this.styleTween(e, lc(e, r)).on("end.style." + e, uc(e)) : typeof t == "function" ? this.styleTween(e, fc(e, r, Os(this, "style." + e, t))).each(pc(this._id, e)) : this.styleTween(e, dc(e, r, t), n).on("end.style." + e, null);
}
function hc(e, t, n) {
	return function(r) {
		this.style.setProperty(e, t.call(this, r), n);
	};
}
function gc(e, t, n) {
	var r, i;
	function a() {
		var a = t.apply(this, arguments);
		return a !== i && (r = (i = a) && hc(e, a, n)), r;
	}
	return a._value = t, a;
}
function _c(e, t, n) {
	var r = "style." + (e += "");
	if (arguments.length < 2) return (r = this.tween(r)) && r._value;
	if (t == null) return this.tween(r, null);
	if (typeof t != "function") throw Error();
	return this.tween(r, gc(e, t, n ?? ""));
}
function vc(e) {
	return function() {
		this.textContent = e;
	};
}
function yc(e) {
	return function() {
		var t = e(this);
		this.textContent = t ?? "";
	};
}
function bc(e) {
	return this.tween("text", typeof e == "function" ? yc(Os(this, "text", e)) : vc(e == null ? "" : e + ""));
}
function xc(e) {
	return function(t) {
		this.textContent = e.call(this, t);
	};
}
function Sc(e) {
	var t, n;
	function r() {
		var r = e.apply(this, arguments);
		return r !== n && (t = (n = r) && xc(r)), t;
	}
	return r._value = e, r;
}
function Cc(e) {
	var t = "text";
	if (arguments.length < 1) return (t = this.tween(t)) && t._value;
	if (e == null) return this.tween(t, null);
	if (typeof e != "function") throw Error();
	return this.tween(t, Sc(e));
}
function wc() {
	for (var e = this._name, t = this._id, n = Oc(), r = this._groups, i = r.length, a = 0; a < i; ++a) for (var o = r[a], s = o.length, c, l = 0; l < s; ++l) if (c = o[l]) {
		var u = Q(c, t);
		bs(c, e, n, l, o, {
			time: u.time + u.delay + u.duration,
			delay: 0,
			duration: u.duration,
			ease: u.ease
		});
	}
	return new Dc(r, this._parents, e, n);
}
function Tc() {
	var e, t, n = this, r = n._id, i = n.size();
	return new Promise(function(a, o) {
		var s = { value: o }, c = { value: function() {
			--i === 0 && a();
		} };
		n.each(function() {
			var n = Z(this, r), i = n.on;
			i !== e && (t = (e = i).copy(), t._.cancel.push(s), t._.interrupt.push(s), t._.end.push(c)), n.on = t;
		}), i === 0 && a();
	});
}
var Ec = 0;
function Dc(e, t, n, r) {
	this._groups = e, this._parents = t, this._name = n, this._id = r;
}
function Oc() {
	return ++Ec;
}
var kc = wi.prototype;
Dc.prototype = {
	constructor: Dc,
	select: ac,
	selectAll: oc,
	selectChild: kc.selectChild,
	selectChildren: kc.selectChildren,
	filter: Qs,
	merge: $s,
	selection: cc,
	transition: wc,
	call: kc.call,
	nodes: kc.nodes,
	node: kc.node,
	size: kc.size,
	empty: kc.empty,
	each: kc.each,
	on: nc,
	attr: Is,
	attrTween: Vs,
	style: mc,
	styleTween: _c,
	text: bc,
	textTween: Cc,
	remove: ic,
	tween: Ds,
	delay: Ws,
	duration: qs,
	ease: Ys,
	easeVarying: Zs,
	end: Tc,
	[Symbol.iterator]: kc[Symbol.iterator]
};
var Ac = {
	time: null,
	delay: 0,
	duration: 250,
	ease: rs
};
function jc(e, t) {
	for (var n; !(n = e.__transition) || !(n = n[t]);) if (!(e = e.parentNode)) throw Error(`transition ${t} not found`);
	return n;
}
function Mc(e) {
	var t, n;
	e instanceof Dc ? (t = e._id, e = e._name) : (t = Oc(), (n = Ac).time = qo(), e = e == null ? null : e + "");
	for (var r = this._groups, i = r.length, a = 0; a < i; ++a) for (var o = r[a], s = o.length, c, l = 0; l < s; ++l) (c = o[l]) && bs(c, e, t, l, o, n || jc(c, t));
	return new Dc(r, this._parents, e, t);
}
wi.prototype.interrupt = ws, wi.prototype.transition = Mc;
// node_modules/d3-zoom/dist/d3-zoom.mjs
var Nc = (e) => () => e;
function Pc(e, { sourceEvent: t, target: n, transform: r, dispatch: i }) {
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
function Fc(e, t, n) {
	this.k = e, this.x = t, this.y = n;
}
Fc.prototype = {
	constructor: Fc,
	scale: function(e) {
		return e === 1 ? this : new Fc(this.k * e, this.x, this.y);
	},
	translate: function(e, t) {
		return e === 0 & t === 0 ? this : new Fc(this.k, this.x + this.k * e, this.y + this.k * t);
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
var Ic = new Fc(1, 0, 0);
Lc.prototype = Fc.prototype;
function Lc(e) {
	for (; !e.__zoom;) if (!(e = e.parentNode)) return Ic;
	return e.__zoom;
}
function Rc(e) {
	e.stopImmediatePropagation();
}
function zc(e) {
	e.preventDefault(), e.stopImmediatePropagation();
}
function Bc(e) {
	return (!e.ctrlKey || e.type === "wheel") && !e.button;
}
function Vc() {
	var e = this;
	return e instanceof SVGElement ? (e = e.ownerSVGElement || e, e.hasAttribute("viewBox") ? (e = e.viewBox.baseVal, [[e.x, e.y], [e.x + e.width, e.y + e.height]]) : [[0, 0], [e.width.baseVal.value, e.height.baseVal.value]]) : [[0, 0], [e.clientWidth, e.clientHeight]];
}
function Hc() {
	return this.__zoom || Ic;
}
function Uc(e) {
	return -e.deltaY * (e.deltaMode === 1 ? .05 : e.deltaMode ? 1 : .002) * (e.ctrlKey ? 10 : 1);
}
function Wc() {
	return navigator.maxTouchPoints || "ontouchstart" in this;
}
function Gc(e, t, n) {
	var r = e.invertX(t[0][0]) - n[0][0], i = e.invertX(t[1][0]) - n[1][0], a = e.invertY(t[0][1]) - n[0][1], o = e.invertY(t[1][1]) - n[1][1];
	return e.translate(i > r ? (r + i) / 2 : Math.min(0, r) || Math.max(0, i), o > a ? (a + o) / 2 : Math.min(0, a) || Math.max(0, o));
}
function Kc() {
	var e = Bc, t = Vc, n = Gc, r = Uc, i = Wc, a = [0, Infinity], o = [[-Infinity, -Infinity], [Infinity, Infinity]], s = 250, c = Mo, l = Ni("start", "zoom", "end"), u, d, f, p = 500, m = 150, h = 0, g = 10;
	function _(e) {
		e.property("__zoom", Hc).on("wheel.zoom", w, { passive: !1 }).on("mousedown.zoom", T).on("dblclick.zoom", E).filter(i).on("touchstart.zoom", D).on("touchmove.zoom", ee).on("touchend.zoom touchcancel.zoom", O).style("-webkit-tap-highlight-color", "rgba(0,0,0,0)");
	}
	_.transform = function(e, t, n, r) {
		var i = e.selection ? e.selection() : e;
		i.property("__zoom", Hc), e === i ? i.interrupt().each(function() {
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
			return n(Ic.translate(c[0], c[1]).scale(s.k).translate(typeof r == "function" ? -r.apply(this, arguments) : -r, typeof i == "function" ? -i.apply(this, arguments) : -i), e, o);
		}, a, s);
	};
	function v(e, t) {
		return t = Math.max(a[0], Math.min(a[1], t)), t === e.k ? e : new Fc(t, e.x, e.y);
	}
	function y(e, t, n) {
		var r = t[0] - n[0] * e.k, i = t[1] - n[1] * e.k;
		return r === e.x && i === e.y ? e : new Fc(e.k, r, i);
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
					e = new Fc(n, l[0] - t[0] * n, l[1] - t[1] * n);
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
			var t = Ei(this.that).datum();
			l.call(e, this.that, new Pc(e, {
				sourceEvent: this.sourceEvent,
				target: _,
				transform: this.that.__zoom,
				dispatch: l
			}), t);
		}
	};
	function w(t, ...i) {
		if (!e.apply(this, arguments)) return;
		var s = S(this, i).event(t), c = this.__zoom, l = Math.max(a[0], Math.min(a[1], c.k * 2 ** r.apply(this, arguments))), u = ji(t);
		if (s.wheel) (s.mouse[0][0] !== u[0] || s.mouse[0][1] !== u[1]) && (s.mouse[1] = c.invert(s.mouse[0] = u)), clearTimeout(s.wheel);
		else if (c.k === l) return;
		else s.mouse = [u, c.invert(u)], Cs(this), s.start();
		zc(t), s.wheel = setTimeout(d, m), s.zoom("mouse", n(y(v(c, l), s.mouse[0], s.mouse[1]), s.extent, o));
		function d() {
			s.wheel = null, s.end();
		}
	}
	function T(t, ...r) {
		if (f || !e.apply(this, arguments)) return;
		var i = t.currentTarget, a = S(this, r, !0).event(t), s = Ei(t.view).on("mousemove.zoom", d, !0).on("mouseup.zoom", p, !0), c = ji(t, i), l = t.clientX, u = t.clientY;
		Bi(t.view), Rc(t), a.mouse = [c, this.__zoom.invert(c)], Cs(this), a.start();
		function d(e) {
			if (zc(e), !a.moved) {
				var t = e.clientX - l, r = e.clientY - u;
				a.moved = t * t + r * r > h;
			}
			a.event(e).zoom("mouse", n(y(a.that.__zoom, a.mouse[0] = ji(e, i), a.mouse[1]), a.extent, o));
		}
		function p(e) {
			s.on("mousemove.zoom mouseup.zoom", null), Vi(e.view, a.moved), zc(e), a.event(e).end();
		}
	}
	function E(r, ...i) {
		if (e.apply(this, arguments)) {
			var a = this.__zoom, c = ji(r.changedTouches ? r.changedTouches[0] : r, this), l = a.invert(c), u = a.k * (r.shiftKey ? .5 : 2), d = n(y(v(a, u), c, l), t.apply(this, i), o);
			zc(r), s > 0 ? Ei(this).transition().duration(s).call(x, d, c, r) : Ei(this).call(_.transform, d, c, r);
		}
	}
	function D(t, ...n) {
		if (e.apply(this, arguments)) {
			var r = t.touches, i = r.length, a = S(this, n, t.changedTouches.length === i).event(t), o, s, c, l;
			for (Rc(t), s = 0; s < i; ++s) c = r[s], l = ji(c, this), l = [
				l,
				this.__zoom.invert(l),
				c.identifier
			], a.touch0 ? !a.touch1 && a.touch0[2] !== l[2] && (a.touch1 = l, a.taps = 0) : (a.touch0 = l, o = !0, a.taps = 1 + !!u);
			u &&= clearTimeout(u), o && (a.taps < 2 && (d = l[0], u = setTimeout(function() {
				u = null;
			}, p)), Cs(this), a.start());
		}
	}
	function ee(e, ...t) {
		if (this.__zooming) {
			var r = S(this, t).event(e), i = e.changedTouches, a = i.length, s, c, l, u;
			for (zc(e), s = 0; s < a; ++s) c = i[s], l = ji(c, this), r.touch0 && r.touch0[2] === c.identifier ? r.touch0[0] = l : r.touch1 && r.touch1[2] === c.identifier && (r.touch1[0] = l);
			if (c = r.that.__zoom, r.touch1) {
				var d = r.touch0[0], f = r.touch0[1], p = r.touch1[0], m = r.touch1[1], h = (h = p[0] - d[0]) * h + (h = p[1] - d[1]) * h, g = (g = m[0] - f[0]) * g + (g = m[1] - f[1]) * g;
				c = v(c, Math.sqrt(h / g)), l = [(d[0] + p[0]) / 2, (d[1] + p[1]) / 2], u = [(f[0] + m[0]) / 2, (f[1] + m[1]) / 2];
			} else if (r.touch0) l = r.touch0[0], u = r.touch0[1];
			else return;
			r.zoom("touch", n(y(c, l, u), r.extent, o));
		}
	}
	function O(e, ...t) {
		if (this.__zooming) {
			var n = S(this, t).event(e), r = e.changedTouches, i = r.length, a, o;
			for (Rc(e), f && clearTimeout(f), f = setTimeout(function() {
				f = null;
			}, p), a = 0; a < i; ++a) o = r[a], n.touch0 && n.touch0[2] === o.identifier ? delete n.touch0 : n.touch1 && n.touch1[2] === o.identifier && delete n.touch1;
			if (n.touch1 && !n.touch0 && (n.touch0 = n.touch1, delete n.touch1), n.touch0) n.touch0[1] = this.__zoom.invert(n.touch0[0]);
			else if (n.end(), n.taps === 2 && (o = ji(o, this), Math.hypot(d[0] - o[0], d[1] - o[1]) < g)) {
				var s = Ei(this).on("dblclick.zoom");
				s && s.apply(this, arguments);
			}
		}
	}
	return _.wheelDelta = function(e) {
		return arguments.length ? (r = typeof e == "function" ? e : Nc(+e), _) : r;
	}, _.filter = function(t) {
		return arguments.length ? (e = typeof t == "function" ? t : Nc(!!t), _) : e;
	}, _.touchable = function(e) {
		return arguments.length ? (i = typeof e == "function" ? e : Nc(!!e), _) : i;
	}, _.extent = function(e) {
		return arguments.length ? (t = typeof e == "function" ? e : Nc([[+e[0][0], +e[0][1]], [+e[1][0], +e[1][1]]]), _) : t;
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
var qc = {
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
}, Jc = 256, Yc = 4;
function Xc(e, t, n) {
	let r = Fo(No, qc[n]), i = new Uint8ClampedArray(Jc * 4), a = [];
	for (let e = 0; e < Jc; e++) {
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
		return t ? Math.max(0, 1 + Math.log10(n) / Yc) : n;
	};
	return {
		most: o,
		isLog: t,
		table: i,
		place: s,
		css: (e) => a[Math.round(s(e) * 255)]
	};
}
function Zc(e, t) {
	let n = Math.round(e.place(t) * 255) * 4, r = (e) => e <= 10 ? e / 3294 : ((e / 255 + .055) / 1.055) ** 2.4, [i, a, o] = [
		0,
		1,
		2
	].map((t) => r(e.table[n + t]));
	return .2126 * i + .7152 * a + .0722 * o > .18 ? "#000000" : "#ffffff";
}
function Qc(e, t, n, r) {
	let i = new ImageData(n, t), a = new Uint32Array(i.data.buffer), o = new Uint32Array(r.table.buffer);
	if (r.isLog) for (let t = 0; t < e.length; t++) a[t] = o[Math.round(r.place(e[t]) * 255)];
	else {
		let t = 255 / r.most;
		for (let n = 0; n < e.length; n++) a[n] = o[Math.min(255, Math.max(0, e[n] * t + .5)) | 0];
	}
	return i;
}
// src/tiles/visible.ts
function $c(e, t, n, r) {
	let i = Math.max(0, Math.ceil(Math.log2(Math.max(n, r) / 256)));
	return Math.min(i, Math.max(0, Math.floor(Math.log2(1 / (e * t)))));
}
function el(e, t, n, r) {
	let i = 256 * 2 ** t, a = (t, n, r) => [Math.max(0, Math.floor(-t / e.scale / i)), Math.min(Math.ceil(r / i), Math.ceil((n - t) / e.scale / i))], [o, s] = a(e.top, e.height, n), [c, l] = a(e.left, e.width, r), u = [];
	for (let e = o; e < s; e++) for (let n = c; n < l; n++) u.push({
		level: t,
		y: e,
		x: n
	});
	let d = [(o + s - 1) / 2, (c + l - 1) / 2], f = ({ y: e, x: t }) => Math.hypot(e - d[0], t - d[1]);
	return u.sort((e, t) => f(e) - f(t));
}
var tl = ({ level: e, y: t, x: n }) => `${e}/${t}/${n}`, nl = ({ level: e, y: t, x: n }) => ({
	level: e + 1,
	y: t >> 1,
	x: n >> 1
}), rl = class {
	load;
	changed;
	most;
	known = /* @__PURE__ */ new Map();
	asked = /* @__PURE__ */ new Map();
	bytes = 0;
	constructor(e, t, n = 128 * 2 ** 20) {
		this.load = e, this.changed = t, this.most = n;
	}
	get(e) {
		let t = tl(e), n = this.known.get(t);
		return n && (this.known.delete(t), this.known.set(t, n)), n;
	}
	want(e) {
		let t = new Set(e.map(tl));
		for (let [e, n] of this.asked) t.has(e) || (n.abort(), this.asked.delete(e));
		for (let t of e) {
			let e = tl(t);
			if (this.known.has(e) || this.asked.has(e)) continue;
			let n = new AbortController();
			this.asked.set(e, n), this.load(t, n.signal).then((t) => {
				this.asked.get(e) === n && this.asked.delete(e), this.put(e, t), this.changed();
			}, () => {
				this.asked.get(e) === n && this.asked.delete(e);
			});
		}
	}
	put(e, t) {
		this.known.set(e, t), this.bytes += il(t);
		for (let [e, t] of this.known) {
			if (this.bytes <= this.most) break;
			this.known.delete(e), this.bytes -= il(t);
		}
	}
	get isWaiting() {
		return this.asked.size > 0;
	}
	close() {
		this.want([]), this.known.clear(), this.bytes = 0;
	}
};
function il(e) {
	return e.mean.byteLength + (e.max === e.mean ? 0 : e.max.byteLength);
}
// src/views/legend.tsx
function al({ model: e }) {
	let { log: t, hide: n, pool: r, heads: i } = e.store.state.value, a = e.scale(), o = [
		0,
		.25,
		.5,
		.75,
		1
	], s = (e) => t ? a.most * 10 ** (4 * (e - 1)) : a.most * e, c = o.map((e) => `rgb(${[
		0,
		1,
		2
	].map((t) => a.table[Math.round(e * 255) * 4 + t]).join(" ")})`), l = [
		t && "log scale",
		n === "special" && "special tokens hidden, rows renormalised",
		n === "first" && "first token hidden, rows renormalised",
		i.length > 1 && `mean of ${i.length} heads`,
		r === "max" ? "maximum where cells are smaller than a pixel" : "mean where cells are smaller than a pixel"
	].filter(Boolean);
	return /* @__PURE__ */ H("div", {
		class: "legend",
		children: [
			/* @__PURE__ */ H("span", { children: V(s(0)) }),
			/* @__PURE__ */ H("span", {
				class: "ramp",
				role: "img",
				"aria-label": `From ${V(s(0))} to ${V(s(1))}`,
				style: { background: `linear-gradient(to right, ${c.join(", ")})` }
			}),
			/* @__PURE__ */ H("span", { children: V(s(1)) }),
			/* @__PURE__ */ H("small", { children: l.join(" · ") })
		]
	});
}
// src/views/matrix.tsx
var $ = 110, ol = 64, sl = 1e6, cl = class {
	canvas;
	model;
	rows;
	columns;
	cache;
	images = /* @__PURE__ */ new WeakMap();
	transform = Ic;
	frame = 0;
	constructor(e, t, n, r) {
		this.canvas = e, this.model = t, this.rows = n, this.columns = r;
		let i = He(() => t.store.lens.value);
		this.cache = new rl((e, n) => t.source.tile(i, e.level, e.y, e.x, n), () => this.draw());
	}
	get fit() {
		let { clientWidth: e, clientHeight: t } = this.canvas;
		return Math.min(ol, (e - $) / this.columns, (t - $) / this.rows);
	}
	get port() {
		let { k: e, x: t, y: n } = this.transform, { clientWidth: r, clientHeight: i } = this.canvas;
		return {
			scale: this.fit * e,
			left: t,
			top: n,
			width: r - $,
			height: i - $
		};
	}
	cellAt(e, t) {
		let { scale: n, left: r, top: i } = this.port;
		if (e < $ || t < $) return null;
		let [a, o] = [Math.floor((e - $ - r) / n), Math.floor((t - $ - i) / n)];
		return o >= 0 && o < this.rows && a >= 0 && a < this.columns ? {
			query: o,
			key: a
		} : null;
	}
	draw() {
		cancelAnimationFrame(this.frame), this.frame = requestAnimationFrame(() => this.drawNow());
	}
	drawNow() {
		let { canvas: e, model: t } = this, n = window.devicePixelRatio || 1, [r, i] = [e.clientWidth, e.clientHeight];
		(e.width !== Math.round(r * n) || e.height !== Math.round(i * n)) && (e.width = Math.round(r * n), e.height = Math.round(i * n));
		let a = e.getContext("2d"), o = getComputedStyle(e), s = t.store.state.peek(), c = He(() => t.scale()), l = this.port;
		a.setTransform(n, 0, 0, n, 0, 0), a.clearRect(0, 0, r, i), a.imageSmoothingEnabled = !1;
		let u = $c(l.scale, n, this.rows, this.columns), d = {
			level: $c(0, 1, this.rows, this.columns),
			y: 0,
			x: 0
		}, f = el(l, u, this.rows, this.columns);
		this.cache.want([d, ...f.filter((e) => tl(e) !== tl(d))]);
		let p = this.cache.get(d);
		if (p) {
			let e = 0;
			for (let t of s.pool === "max" || !d.level ? p.max : p.mean) t > e && (e = t);
			e !== t.most.peek() && (t.most.value = e);
		}
		a.save(), a.beginPath(), a.rect($, $, l.width, l.height), a.clip();
		for (let e of f) this.drawTile(a, e, l, c, s.pool);
		this.drawSelection(a, l, o), a.restore(), this.drawLabels(a, l, o), e.dataset.level = String(u), e.dataset.waiting = String(this.cache.isWaiting);
	}
	drawTile(e, t, n, r, i) {
		let a = 256 * 2 ** t.level, o = t, s = this.cache.get(o);
		for (; !s && o.level < 24;) o = nl(o), s = this.cache.get(o);
		if (!s) return;
		let c = this.image(s, r, i), l = o.level - t.level, u = 256 / 2 ** l, d = (t.x - (o.x << l)) * u, f = (t.y - (o.y << l)) * u, p = Math.min(u, s.columns - d), m = Math.min(u, s.rows - f);
		if (p <= 0 || m <= 0) return;
		let h = a / u * n.scale, g = (e, t) => $ + t + e * n.scale, [_, v] = [g(t.x * a, n.left), g(t.y * a, n.top)];
		e.drawImage(c, d, f, p, m, _, v, p * h, m * h);
	}
	image(e, t, n) {
		let r = `${n} ${t.isLog} ${t.most} ${t.table[0]}`, i = this.images.get(e);
		if (i?.key === r) return i.bitmap;
		let a = document.createElement("canvas");
		return a.width = e.columns, a.height = e.rows, a.getContext("2d").putImageData(Qc(e[n], e.rows, e.columns, t), 0, 0), this.images.set(e, {
			key: r,
			bitmap: a
		}), a;
	}
	drawSelection(e, t, n) {
		let { query: r, key: i } = this.model.store.state.peek(), a = this.model.store.hover.peek(), o = (e, n) => [$ + t.left + e * t.scale, (n - e) * t.scale], s = (e, n) => [$ + t.top + e * t.scale, (n - e) * t.scale], c = [$, t.width];
		e.lineWidth = 1, e.strokeStyle = n.getPropertyValue("--line"), a.query !== null && ul(e, c, s(a.query, a.query + 1)), a.key !== null && ul(e, o(a.key, a.key + 1), [$, t.height]), e.lineWidth = 2, e.strokeStyle = n.getPropertyValue("--query"), r && ul(e, c, s(...r)), e.strokeStyle = n.getPropertyValue("--key"), i && ul(e, o(...i), [$, t.height]);
	}
	drawLabels(e, t, n) {
		let { model: r } = this, i = Math.max(10, Math.min(14, t.scale - 2));
		e.font = `${i}px ${n.fontFamily}`, e.textBaseline = "middle";
		let a = Math.max(1, Math.ceil((i + 3) / t.scale)), { query: o, key: s } = r.store.state.peek(), c = r.store.hover.peek(), [l, u] = [r.queryWords.peek(), r.keyWords.peek()], d = (e, t, r, i) => n.getPropertyValue(t && e >= t[0] && e < t[1] ? i : r === e ? "--ink" : "--quiet"), f = (e) => Math.max(0, Math.floor(-e / t.scale));
		e.textAlign = "right";
		for (let n = f(t.top); n < l.length; n++) {
			let r = $ + t.top + (n + .5) * t.scale;
			if (r > $ + t.height) break;
			let i = o && n === o[0] || c.query === n;
			r < $ || n % a !== 0 && !i || !i && a > 1 && ll(n, a, o, c.query) || (e.fillStyle = d(n, o, c.query, "--query"), e.fillText(dl(e, l[n]), 104, r));
		}
		e.textAlign = "left";
		for (let n = f(t.left); n < u.length; n++) {
			let r = $ + t.left + (n + .5) * t.scale;
			if (r > $ + t.width) break;
			let i = s && n === s[0] || c.key === n;
			r < $ || n % a !== 0 && !i || !i && a > 1 && ll(n, a, s, c.key) || (e.save(), e.translate(r, 104), e.rotate(-Math.PI / 2), e.fillStyle = d(n, s, c.key, "--key"), e.fillText(dl(e, u[n]), 0, 0), e.restore());
		}
	}
	get sight() {
		let { scale: e, left: t, top: n, width: r, height: i } = this.port, a = (t, n, r) => [Math.max(0, Math.floor(-t / e)), Math.min(r, Math.ceil((n - t) / e))], [o, s] = a(n, i, this.rows), [c, l] = a(t, r, this.columns);
		return {
			from: o,
			rows: s - o,
			first: c,
			columns: l - c
		};
	}
	svg() {
		let { model: e, canvas: t } = this, n = this.port, r = getComputedStyle(t), { from: i, rows: a, first: o, columns: s } = this.sight, c = document.createElement("canvas"), l = Math.min(n.width, s * n.scale), u = Math.min(n.height, a * n.scale), d = window.devicePixelRatio || 1, [f, p] = [$ + Math.max(0, n.left), $ + Math.max(0, n.top)];
		c.width = Math.max(1, Math.round(l * d)), c.height = Math.max(1, Math.round(u * d)), c.getContext("2d").drawImage(t, f * d, p * d, l * d, u * d, 0, 0, c.width, c.height);
		let [m, h] = [e.queryWords.peek(), e.keyWords.peek()], g = Math.max(8, Math.min(14, n.scale - 2)), _ = Math.max(1, Math.ceil((g + 3) / n.scale)), v = r.getPropertyValue("--ink"), y = [];
		for (let e = Math.ceil(i / _) * _; e < i + a; e += _) y.push(`<text x="104" y="${$ + n.top + (e + .5) * n.scale}" dy="0.35em" text-anchor="end">${Ft(m[e].slice(0, 40))}</text>`);
		for (let e = Math.ceil(o / _) * _; e < o + s; e += _) y.push(`<text transform="translate(${$ + n.left + (e + .5) * n.scale} 104) rotate(-90)" dy="0.35em">${Ft(h[e].slice(0, 40))}</text>`);
		let [b, x] = [f + l + 10, p + u + 10];
		return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${b} ${x}" width="${b}" height="${x}" font-family="sans-serif" font-size="${g}" fill="${v}"><rect width="${b}" height="${x}" fill="${r.getPropertyValue("--paper")}"/><image x="${f}" y="${p}" width="${l}" height="${u}" href="${c.toDataURL()}"/>${y.join("")}</svg>`;
	}
	async table() {
		let { from: e, rows: t, first: n, columns: r } = this.sight;
		if (t * r > sl) throw Error(`${t * r} weights are in sight: zoom in to at most ${sl}`);
		let [i, a] = [this.model.queryWords.peek(), this.model.keyWords.peek()], o = this.model.store.lens.peek(), s = [["", ...a.slice(n, n + r)]];
		for (let a = e; a < e + t; a++) {
			let e = await this.model.source.rows(o, a, a + 1);
			s.push([i[a], ...e.subarray(n, n + r)]);
		}
		return s;
	}
	close() {
		cancelAnimationFrame(this.frame), this.cache.close();
	}
};
function ll(e, t, n, r) {
	return [n?.[0] ?? null, r].some((n) => n !== null && Math.abs(n - e) < t);
}
function ul(e, [t, n], [r, i]) {
	e.strokeRect(t - .5, r - .5, Math.max(2, n + 1), Math.max(2, i + 1));
}
function dl(e, t) {
	if (e.measureText(t.slice(0, 60)).width <= 100 && t.length <= 60) return t;
	let n = [...t.slice(0, 60)];
	for (; n.length && e.measureText(`${n.join("")}…`).width > 100;) n.pop();
	return `${n.join("")}…`;
}
function fl({ model: e }) {
	let t = ke(null), n = ke(R("")).current, [r, i] = [e.queryWords.value.length, e.keyWords.value.length], a = e.store.lens.value;
	return F(() => {
		let n = t.current, a = new cl(n, e, r, i), { store: o } = e;
		e.kept.value = a;
		let s = Kc().scaleExtent([1, Math.max(1, ol / a.fit)]).extent(() => [[0, 0], [n.clientWidth - $, n.clientHeight - $]]).translateExtent([[0, 0], [a.fit * i, a.fit * r]]).on("zoom", ({ transform: e }) => {
			a.transform = e, a.draw();
		}), c = Ei(n);
		c.call(s).on("dblclick.zoom", null);
		let l = B(() => {
			o.state.value, o.hover.value, e.ground.value, e.most.value, a.draw();
		}), u = new ResizeObserver(() => a.draw());
		u.observe(n);
		let d = (e) => {
			let { left: t, top: r } = n.getBoundingClientRect();
			o.hover.value = a.cellAt(e.clientX - t, e.clientY - r) ?? {
				query: null,
				key: null
			};
		}, f = () => {
			o.hover.value = {
				query: null,
				key: null
			};
		}, p = (e) => {
			let { left: t, top: r } = n.getBoundingClientRect(), i = a.cellAt(e.clientX - t, e.clientY - r);
			i && o.set({
				query: [i.query, i.query + 1],
				key: [i.key, i.key + 1]
			});
		}, m = (e) => {
			let t = {
				"+": 1.5,
				"-": 1 / 1.5,
				0: 0
			}[e.detail];
			t === 0 ? c.call(s.transform, Ic) : t && c.call(s.scaleBy, t);
		};
		return n.addEventListener("pointermove", d), n.addEventListener("pointerleave", f), n.addEventListener("click", p), n.addEventListener("zoom-by", m), () => {
			l(), u.disconnect(), c.on(".zoom", null), n.removeEventListener("pointermove", d), n.removeEventListener("pointerleave", f), n.removeEventListener("click", p), n.removeEventListener("zoom-by", m), e.kept.value = null, a.close();
		};
	}, [
		a,
		r,
		i
	]), F(() => B(() => {
		let { query: t, key: r } = e.store.state.value, i = e.store.hover.value, [a, o] = [i.query ?? t?.[0], i.key ?? r?.[0]];
		if (a === void 0 || o === void 0) {
			n.value = "";
			return;
		}
		let s = new AbortController(), [c, l] = [e.queryWords.value[a], e.keyWords.value[o]];
		return e.source.rows(e.store.lens.value, a, a + 1, s.signal).then((e) => {
			let t = 1 + e.filter((t) => t > e[o]).length;
			n.value = `${c} → ${l}: ${V(e[o])}, ${t === 1 ? "largest" : `rank ${t}`} of its row`;
		}, () => void 0), () => s.abort();
	}), []), /* @__PURE__ */ H("figure", {
		class: "matrix",
		children: [/* @__PURE__ */ H("canvas", {
			ref: t,
			tabIndex: 0,
			role: "grid",
			"aria-label": "Weights: queries down, keys across",
			"aria-rowcount": r,
			"aria-colcount": i,
			"aria-describedby": "cell"
		}), /* @__PURE__ */ H("figcaption", { children: [/* @__PURE__ */ H("output", {
			id: "cell",
			"aria-live": "polite",
			children: n.value || "Point at a cell, or use the arrow keys."
		}), /* @__PURE__ */ H(al, { model: e })] })]
	});
}
// src/views/overview.tsx
var pl = {
	layer: "layer and head",
	look: "what the selection looks at",
	entropy: "entropy, focused first",
	distance: "distance, far first",
	first: "attention to the first token",
	previous: "attention to the token before"
};
function ml({ model: e }) {
	let { store: t, source: n } = e, { sort: r, heads: i } = t.state.value, a = e.statistics.value, o = new Map((e.looks.value ?? []).map((e) => [e.head.join("."), e])), s = (e) => {
		let t = e.join(".");
		if (r === "look") return o.get(t)?.weight ?? -1;
		let n = a.get(t);
		return !n || r === "layer" ? 0 : r === "entropy" ? -n.entropy : n[r];
	}, c = e.heads;
	r !== "layer" && c.sort((e, t) => s(t) - s(e));
	let l = Math.max(...n.info.layers.map((e) => e.heads.length));
	function u(n, r) {
		let a = n.join("."), o = i.filter((e) => e.join(".") !== a);
		r ? o.length < i.length ? t.set({ heads: o.length ? o : i }) : hl(e, n) && t.set({ heads: [...i, n] }) : t.set({ heads: [n] });
	}
	return /* @__PURE__ */ H("nav", {
		class: "overview",
		"aria-label": "Heads",
		children: [
			/* @__PURE__ */ H("label", {
				class: "field",
				children: ["Heads by", /* @__PURE__ */ H("select", {
					value: r,
					onChange: (e) => t.set({ sort: e.currentTarget.value }),
					children: vt.map((t) => /* @__PURE__ */ H("option", {
						value: t,
						disabled: t === "look" && !e.looks.value,
						children: pl[t]
					}))
				})]
			}),
			/* @__PURE__ */ H("ol", {
				class: `heads${r === "layer" ? " is-grid" : ""}`,
				style: r === "layer" ? { gridTemplateColumns: `repeat(${l}, minmax(0, 1fr))` } : void 0,
				children: c.map((t) => {
					let n = t.join("."), s = i.findIndex((e) => e.join(".") === n);
					return /* @__PURE__ */ H("li", {
						style: r === "layer" ? {
							gridRow: t[0] + 1,
							gridColumn: t[1] + 1
						} : void 0,
						children: /* @__PURE__ */ H(gl, {
							model: e,
							head: t,
							statistics: a.get(n),
							look: o.get(n),
							isChosen: s >= 0,
							onChoose: (e) => u(t, e)
						})
					}, n);
				})
			}),
			/* @__PURE__ */ H("p", {
				class: "hint",
				children: "Ctrl-click (⌘) for several heads, averaged."
			})
		]
	});
}
function hl(e, [t]) {
	let { layers: n } = e.source.info, r = n[e.store.now.heads[0][0]];
	return n[t].queries === r.queries && n[t].keys === r.keys;
}
function gl({ model: e, head: t, statistics: n, look: r, isChosen: i, onChoose: a }) {
	let o = on(e.source.info, t), { sort: s } = e.store.state.value, c = e.keyWords.value, l = {
		layer: null,
		look: r ? `${c[r.key] ?? ""} ${V(r.weight)}` : null,
		entropy: n ? `${n.entropy.toFixed(2)} nats` : null,
		distance: n ? `${n.distance.toFixed(1)} away` : null,
		first: n ? V(n.first) : null,
		previous: n ? V(n.previous) : null
	}, u = n ? `entropy ${n.entropy.toFixed(2)} nats, distance ${n.distance.toFixed(1)}, first token ${V(n.first)}, token before ${V(n.previous)}` + (n.sampled[0] < n.sampled[1] ? `; from ${n.sampled[0]} of ${n.sampled[1]} rows` : "") : "being computed";
	return /* @__PURE__ */ H("button", {
		type: "button",
		class: `head${i ? " is-chosen" : ""}`,
		"aria-pressed": i,
		"aria-label": `${o}${l[s] ? `, ${l[s]}` : ""}`,
		title: `${o}: ${u}`,
		onClick: (e) => a(e.ctrlKey || e.metaKey || e.shiftKey),
		children: [
			/* @__PURE__ */ H(_l, {
				model: e,
				statistics: n
			}),
			/* @__PURE__ */ H("span", {
				class: "name",
				children: o
			}),
			l[s] && /* @__PURE__ */ H("span", {
				class: "says",
				children: l[s]
			})
		]
	});
}
function _l({ model: e, statistics: t }) {
	let n = ke(null), [r, i] = [e.ground.value, e.store.state.value.log];
	return F(() => {
		let e = n.current?.getContext("2d");
		if (!e || !t) return;
		let [a, o] = t.side, s = 0;
		for (let e of t.thumbnail) e > s && (s = e);
		e.canvas.width = o, e.canvas.height = a, e.putImageData(Qc(t.thumbnail, a, o, Xc(s, i, r)), 0, 0);
	}, [
		t,
		r,
		i
	]), /* @__PURE__ */ H("canvas", {
		ref: n,
		class: "thumbnail",
		"aria-hidden": "true",
		"data-waiting": !t,
		width: 1,
		height: 1
	});
}
// src/weights/cells.ts
function vl(e, t, n) {
	let r = e && e.pieces.length === t ? e : null;
	if (!r || n === "pieces") {
		let e = Array.from({ length: t }, (e, t) => [t, t + 1]);
		return {
			spans: e,
			special: e.map((e, t) => r?.special[t] ?? !1)
		};
	}
	let i = [];
	return r.word_of.forEach((e, t) => {
		e < 0 || (i[e] ? i[e][1] = t + 1 : i[e] = [t, t + 1]);
	}), {
		spans: i,
		special: r.word_special
	};
}
// src/views/products.tsx
var [yl, bl, xl] = [
	640,
	260,
	130
];
function Sl({ model: e }) {
	let { store: t, source: n } = e, { heads: r, query: i, key: a, text: o, unit: s } = t.state.value, c = pt(null), [l] = r, u = n.info.layers[l[0]], d = n.info.texts?.[o] ?? null, f = (e, t) => e && vl(d, t, s).spans[e[0]]?.[0], [p, m] = [f(i, u.queries), f(a, u.keys)];
	F(() => {
		if (c.value = null, typeof p != "number" || typeof m != "number") return;
		let e = !1;
		return n.products(l, o, p, m).then((t) => {
			e || (c.value = t);
		}), () => {
			e = !0;
		};
	}, [
		l,
		o,
		p,
		m
	]);
	let h = ke(null);
	if (F(() => {
		let t = c.value?.products;
		if (t) return e.kept.value = {
			svg: () => jt(h.current, Mt(h.current)),
			table: async () => [["dimension", "scale · q · k"], ...Array.from(t, (e, t) => [t, e])]
		}, () => {
			e.kept.value = null;
		};
	}, [c.value]), typeof p != "number" || typeof m != "number") return /* @__PURE__ */ H("p", {
		class: "empty",
		children: "Choose a word (query) and another that it looks at (key, with Alt): then this shows what each dimension of q·k adds to their score."
	});
	let g = (e, t) => d && d.pieces.length === t ? d.pieces[e] : `${e}`, _ = c.value;
	if (!_) return /* @__PURE__ */ H("p", {
		class: "empty",
		children: "…"
	});
	if (!_.products) return /* @__PURE__ */ H("p", {
		class: "empty",
		children: "Of this layer only the weights were kept, not q and k."
	});
	let v = _.products, y = v.reduce((e, t) => e + t, 0), b = Math.max(1e-9, ...v.map(Math.abs)), x = (yl - 40) / v.length, S = (e) => e / b * (xl - 24), C = [...v.keys()].sort((e, t) => Math.abs(v[t]) - Math.abs(v[e])).slice(0, 3).map((e) => `${e} (${v[e].toFixed(2)})`);
	return /* @__PURE__ */ H("figure", {
		class: "products",
		children: [/* @__PURE__ */ H("svg", {
			ref: h,
			viewBox: `0 0 ${yl} ${bl}`,
			role: "img",
			"aria-label": `What each of ${v.length} dimensions adds to the score ${y.toFixed(3)}`,
			children: [
				/* @__PURE__ */ H("line", {
					x1: "30",
					x2: yl - 10,
					y1: xl,
					y2: xl,
					class: "axis"
				}),
				Array.from(v, (e, t) => /* @__PURE__ */ H("rect", {
					x: 30 + t * x + x * .1,
					width: x * .8,
					y: e > 0 ? xl - S(e) : xl,
					height: Math.max(.5, Math.abs(S(e))),
					class: e > 0 ? "adds" : "takes",
					children: /* @__PURE__ */ H("title", { children: `dimension ${t}: ${e.toFixed(4)}` })
				})),
				/* @__PURE__ */ H("text", {
					x: "4",
					y: "22",
					children: `+${b.toFixed(2)}`
				}),
				/* @__PURE__ */ H("text", {
					x: "4",
					y: bl - 12,
					children: `−${b.toFixed(2)}`
				})
			]
		}), /* @__PURE__ */ H("figcaption", { children: [
			on(n.info, l),
			": ",
			/* @__PURE__ */ H("bdi", { children: g(p, u.queries) }),
			" → ",
			/* @__PURE__ */ H("bdi", { children: g(m, u.keys) }),
			", scale · Σ q·k = ",
			y.toFixed(3),
			" over ",
			v.length,
			" dimensions, which makes the weight",
			" ",
			/* @__PURE__ */ H("strong", { children: V(_.weight) }),
			". Most of it from dimensions ",
			C.join(", "),
			".",
			s === "words" && " Of a word with several pieces the first is shown."
		] })]
	});
}
// src/views/words.tsx
function Cl({ model: e }) {
	let { store: t } = e, { query: n, key: r } = t.state.value, i = !n && !!r, a = e.isSelf.value;
	return /* @__PURE__ */ H("section", {
		class: "words",
		"aria-label": "The text",
		children: [
			!a && /* @__PURE__ */ H(wl, {
				model: e,
				side: "query",
				label: "from"
			}),
			/* @__PURE__ */ H(wl, {
				model: e,
				side: a ? i ? "key-self" : "self" : "key",
				label: a ? null : "to"
			}),
			/* @__PURE__ */ H("p", {
				class: "hint",
				"aria-live": "polite",
				children: n ? `Shaded by what “${un(e.queryWords.value, n)}” looks at.` : r ? `Shaded by what looks at “${un(e.keyWords.value, r)}”.` : "Choose a word to see what it looks at; hold Alt (or ⌥) for what looks at it."
			})
		]
	});
}
function wl({ model: e, side: t, label: n }) {
	let { store: r } = e, { query: i, key: a } = r.state.value, o = t === "query" ? e.queryWords.value : e.keyWords.value, s = t === "query" || t === "key-self" ? e.column.value : e.row.value, c = s && s.length === o.length ? s : null, l = Xc(c ? Math.max(...Tl(c)) : 1, r.state.value.log, e.ground.value), u = ke(null), d = t === "query" || t === "self" || t === "key-self";
	function f(e, n) {
		let o = t === "key" || n.altKey, s = o ? a : i, c = n.shiftKey && u.current !== null ? Math.min(u.current, e) : e, l = n.shiftKey && u.current !== null ? Math.max(u.current, e) + 1 : e + 1;
		n.shiftKey || (u.current = e);
		let d = s && s[0] === c && s[1] === l ? null : [c, l];
		r.set(o ? { key: d } : { query: d });
	}
	return /* @__PURE__ */ H("p", {
		class: "line",
		children: [n && /* @__PURE__ */ H("span", {
			class: "side",
			children: n
		}), o.map((e, n) => {
			let o = c ? c[n] : 0, s = d && i !== null && n >= i[0] && n < i[1], p = t !== "query" && a !== null && n >= a[0] && n < a[1];
			return /* @__PURE__ */ H("button", {
				type: "button",
				class: `chip${s ? " is-query" : ""}${p ? " is-key" : ""}`,
				"aria-pressed": s || p,
				title: c ? `${e}: ${V(o)}` : e,
				style: c ? {
					background: l.css(o),
					color: Zc(l, o)
				} : void 0,
				onClick: (e) => f(n, e),
				onMouseDown: (e) => {
					e.button === 0 && !e.shiftKey && (u.current = n);
				},
				onMouseUp: (e) => {
					u.current !== null && u.current !== n && !e.shiftKey && f(n, {
						altKey: e.altKey,
						shiftKey: !0
					});
				},
				onMouseEnter: () => r.hover.value = d ? {
					query: n,
					key: null
				} : {
					query: null,
					key: n
				},
				onMouseLeave: () => r.hover.value = {
					query: null,
					key: null
				},
				children: /* @__PURE__ */ H("bdi", { children: e })
			});
		})]
	});
}
function Tl(e) {
	let t = 0;
	for (let n of e) n > t && (t = n);
	return [t];
}
// src/views/app.tsx
var El = {
	matrix: "Matrix",
	arcs: "Arcs",
	products: "q·k",
	image: "Image"
}, Dl = {
	nothing: "nothing",
	special: "special tokens",
	first: "first token"
};
function Ol({ model: e }) {
	let { store: t, source: n } = e, r = ke(null), i = pt(!1), a = t.state.value, o = _t.filter((e) => e !== "image");
	return F(() => {
		let t = (t) => Cn(t, e, r.current, () => i.value = !i.value), n = r.current;
		return n.ownerDocument.addEventListener("keydown", t), () => n.ownerDocument.removeEventListener("keydown", t);
	}, [e]), /* @__PURE__ */ H("div", {
		ref: r,
		class: "clearhead",
		"data-theme": e.ground.value,
		children: [
			/* @__PURE__ */ H("header", { children: [/* @__PURE__ */ H("h1", { children: /* @__PURE__ */ H("bdi", { children: n.info.title }) }), /* @__PURE__ */ H("button", {
				type: "button",
				class: "plain",
				onClick: () => i.value = !0,
				"aria-haspopup": "dialog",
				children: "Keys, and what weights do not show"
			})] }),
			/* @__PURE__ */ H(ml, { model: e }),
			/* @__PURE__ */ H("main", { children: [
				/* @__PURE__ */ H(Cl, { model: e }),
				/* @__PURE__ */ H("div", {
					class: "tabs",
					role: "tablist",
					"aria-label": "Views",
					children: o.map((e) => /* @__PURE__ */ H("button", {
						type: "button",
						role: "tab",
						"aria-selected": a.view === e,
						tabIndex: a.view === e ? 0 : -1,
						onClick: () => t.set({ view: e }),
						children: El[e]
					}))
				}),
				/* @__PURE__ */ H("section", {
					role: "tabpanel",
					"aria-label": El[a.view],
					class: "view",
					children: [
						a.view === "matrix" && /* @__PURE__ */ H(fl, { model: e }),
						a.view === "arcs" && /* @__PURE__ */ H(_n, { model: e }),
						a.view === "products" && /* @__PURE__ */ H(Sl, { model: e })
					]
				})
			] }),
			/* @__PURE__ */ H(En, { model: e }),
			/* @__PURE__ */ H("footer", {
				"aria-label": "How it is shown",
				children: [
					/* @__PURE__ */ H(kl, {
						label: "by",
						value: a.unit,
						options: {
							words: "words",
							pieces: "pieces"
						},
						onChange: (e) => t.set({
							unit: e,
							query: null,
							key: null
						})
					}),
					/* @__PURE__ */ H(kl, {
						label: "scale",
						value: a.log ? "log" : "linear",
						options: {
							linear: "linear",
							log: "log"
						},
						onChange: (e) => t.set({ log: e === "log" })
					}),
					/* @__PURE__ */ H(kl, {
						label: "hide",
						value: a.hide,
						options: Object.fromEntries(yt.map((e) => [e, Dl[e]])),
						onChange: (e) => t.set({ hide: e })
					}),
					/* @__PURE__ */ H(kl, {
						label: "zoomed out",
						value: a.pool,
						options: {
							mean: "mean",
							max: "maximum"
						},
						onChange: (e) => t.set({ pool: e })
					}),
					e.steps > 1 && /* @__PURE__ */ H("label", {
						class: "field",
						children: [
							"step ",
							e.step.value + 1,
							" of ",
							e.steps,
							/* @__PURE__ */ H("input", {
								type: "range",
								min: 0,
								max: e.steps - 1,
								value: e.step.value,
								onInput: (t) => e.go(Number(t.currentTarget.value))
							})
						]
					}),
					n.info.batch > 1 && /* @__PURE__ */ H(kl, {
						label: "text",
						value: `${a.text}`,
						options: Object.fromEntries(Array.from({ length: n.info.batch }, (e, t) => [`${t}`, `${t + 1} of ${n.info.batch}`])),
						onChange: (e) => t.set({
							text: Number(e),
							query: null,
							key: null
						})
					}),
					/* @__PURE__ */ H(kl, {
						label: "theme",
						value: a.theme,
						options: Object.fromEntries(bt.map((e) => [e, e])),
						onChange: (e) => t.set({ theme: e })
					}),
					/* @__PURE__ */ H(bn, { model: e })
				]
			}),
			e.error.value && /* @__PURE__ */ H("p", {
				role: "alert",
				class: "error",
				children: e.error.value
			}),
			i.value && /* @__PURE__ */ H(wn, { onClose: () => i.value = !1 })
		]
	});
}
function kl({ label: e, value: t, options: n, onChange: r }) {
	return /* @__PURE__ */ H("label", {
		class: "field",
		children: [e, /* @__PURE__ */ H("select", {
			value: t,
			onChange: (e) => r(e.currentTarget.value),
			children: Object.entries(n).map(([e, t]) => /* @__PURE__ */ H("option", {
				value: e,
				children: t
			}))
		})]
	});
}
// src/views/model.ts
var Al = class {
	store;
	source;
	systemIsDark;
	queryWords;
	keyWords;
	keySpecial;
	isSelf;
	step;
	ground;
	row = R(null);
	column = R(null);
	most = R(1);
	looks = R(null);
	statistics = R(/* @__PURE__ */ new Map());
	error = R(null);
	kept = R(null);
	stops = [];
	constructor(e, t, n) {
		this.store = e, this.source = t, this.systemIsDark = n;
		let { info: r } = t, i = z(() => r.layers[e.state.value.heads[0][0]]);
		this.step = z(() => i.value.call);
		let a = z(() => r.texts?.[e.state.value.text] ?? null), o = z(() => e.state.value.unit);
		this.queryWords = z(() => cn(a.value, i.value.queries, o.value)), this.keyWords = z(() => cn(a.value, i.value.keys, o.value)), this.keySpecial = z(() => ln(a.value, i.value.keys, o.value)), this.isSelf = z(() => i.value.queries === i.value.keys), this.ground = z(() => {
			let { theme: t } = e.state.value;
			return t === "system" ? n.value ? "dark" : "light" : t;
		}), this.keep();
	}
	get heads() {
		let e = this.step.value;
		return this.source.info.layers.flatMap(({ heads: t, call: n }, r) => n === e ? t.map((e, t) => [r, t]) : []);
	}
	get steps() {
		return 1 + Math.max(...this.source.info.layers.map((e) => e.call));
	}
	go(e) {
		let { layers: t } = this.source.info, n = this.store.now.heads.flatMap(([n, r]) => {
			let i = t.findIndex((r) => r.number === t[n].number && r.call === e);
			return i < 0 ? [] : [[i, r]];
		}), r = t.findIndex((t) => t.call === e);
		this.store.set({
			heads: n.length ? n : [[r, 0]],
			query: null,
			key: null
		});
	}
	scale(e = this.most.value) {
		return Xc(e, this.store.state.value.log, this.ground.value);
	}
	keep() {
		let { store: e, source: t } = this, n = (e) => this.stops.push(B(() => {
			let t = new AbortController();
			return e(t.signal)?.catch((e) => {
				e.name !== "AbortError" && (this.error.value = e.message);
			}), () => t.abort();
		}));
		n((n) => {
			let [r, i] = [e.lens.value, e.query.value];
			if (!i) this.row.value = null;
			else return t.rows(r, ...i, n).then((e) => void (this.row.value = e));
		}), n((n) => {
			let [r, i] = [e.lens.value, e.key.value];
			if (!i) this.column.value = null;
			else return t.columns(r, ...i, n).then((e) => void (this.column.value = e));
		}), n((n) => {
			let [r, i, a] = [
				e.lens.value,
				e.query.value,
				e.key.value
			];
			if (!i) this.looks.value = null;
			else return t.looks(r, i, a, n).then((e) => void (this.looks.value = e));
		}), n((n) => {
			let r = e.whole.value;
			return this.step.value, this.statistics.value = /* @__PURE__ */ new Map(), Promise.all(this.heads.map(async (e) => {
				let i = await t.statistics(e, r, n);
				this.statistics.value = new Map(this.statistics.peek()).set(e.join("."), i);
			})).then(() => void 0);
		});
	}
	close() {
		for (let e of this.stops) e();
	}
};
// src/host/mount.tsx
function jl(e, t, n) {
	let r = new Ot(Dt(n, xt)), i = window.matchMedia("(prefers-color-scheme: dark)"), a = R(i.matches), o = () => a.value = i.matches;
	i.addEventListener("change", o);
	let s = new Al(r, t, a);
	return e.textContent = "", me(/* @__PURE__ */ H(Ol, { model: s }), e), {
		model: s,
		close() {
			me(null, e), s.close(), t.close(), i.removeEventListener("change", o);
		}
	};
}
async function Ml(e) {
	let t = document.getElementById("clearhead");
	try {
		let { source: n, start: r } = await e(), { model: i } = jl(t, n, r);
		i.store.follow(window), B(() => void (document.documentElement.dataset.theme = i.ground.value)), document.title = `${n.info.title} – clearhead`;
	} catch (e) {
		t.textContent = e instanceof Error ? e.message : String(e), t.setAttribute("role", "alert");
	}
}
// src/host/page.ts
function Nl(e) {
	let t = Uint8Array.fromBase64;
	return t ? t(e) : Uint8Array.from(atob(e), (e) => e.charCodeAt(0));
}
function Pl() {
	return Ml(async () => {
		let e = (e) => document.getElementById(e)?.textContent ?? "", t = JSON.parse(e("options")), n = await r(Nl(e("capture").trim()), t.words);
		return document.getElementById("capture")?.remove(), {
			source: n,
			start: t.start
		};
	});
}
// src/host/viewer.ts
({ page: Pl })[document.documentElement.dataset.host ?? ""]?.();
