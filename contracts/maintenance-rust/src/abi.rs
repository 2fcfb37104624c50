//! The border to the ledger: host functions, input records, memory and aborts.
//! contracts/abi/doc.go is the specification. All `unsafe` of the contract is here.

use core::panic::PanicInfo;
use core::slice;

mod host {
    #[link(wasm_import_module = "cairn")]
    extern "C" {
        pub fn input(offset: u32, dst: *mut u8, len: u32);
        pub fn output(src: *const u8, len: u32);
        pub fn state_get(key: *const u8, key_len: u32, dst: *mut u8, capacity: u32) -> i32;
        pub fn state_set(key: *const u8, key_len: u32, value: *const u8, value_len: u32);
        pub fn state_delete(key: *const u8, key_len: u32);
        pub fn state_scan(
            prefix: *const u8, prefix_len: u32, after: *const u8, after_len: u32,
            limit: u32, dst: *mut u8, capacity: u32,
        ) -> i32;
        pub fn emit(
            event_type: *const u8, type_len: u32, subject: *const u8, subject_len: u32,
            data: *const u8, data_len: u32,
        );
        pub fn balance(asset: *const u8, asset_len: u32, account: *const u8) -> i64;
        pub fn transfer(asset: *const u8, asset_len: u32, to: *const u8, amount: i64) -> u32;
        #[link_name = "self"]
        pub fn own_address(dst: *mut u8);
        pub fn abort(code: u32, message: *const u8, len: u32);
    }
}

/// What an entry point answers when it has not aborted.
pub const DONE: i32 = 0;

/// Codes the Go SDK aborts with by itself; both contracts use the same.
const CODE_RECORD: u32 = (1 << 30) + 1;
pub const CODE_HANDLER: u32 = (1 << 30) + 2;
const CODE_STATE: u32 = (1 << 30) + 3;

/// Undoes the delivery with a code; the message goes to the node's log.
#[cold]
pub fn abort(code: u32, message: &str) -> ! {
    unsafe { host::abort(code, message.as_ptr(), message.len() as u32) };
    core::arch::wasm32::unreachable()
}

#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}

/// Hands out memory from behind the static data, and never takes it back:
/// every delivery starts from the same memory image.
pub fn alloc(len: usize) -> &'static mut [u8] {
    extern "C" {
        static __heap_base: u8;
    }
    static mut NEXT: usize = 0;
    const PAGE: usize = 65536;
    unsafe {
        if NEXT == 0 {
            NEXT = &__heap_base as *const u8 as usize;
        }
        let start = NEXT;
        NEXT += len;
        let size = core::arch::wasm32::memory_size(0) * PAGE;
        if NEXT > size && core::arch::wasm32::memory_grow(0, (NEXT - size + PAGE - 1) / PAGE) == usize::MAX {
            core::arch::wasm32::unreachable();
        }
        slice::from_raw_parts_mut(start as *mut u8, len)
    }
}

/// A copy of several pieces in a row.
pub fn join(pieces: &[&[u8]]) -> &'static [u8] {
    let whole = alloc(pieces.iter().map(|p| p.len()).sum());
    let mut at = 0;
    for p in pieces {
        whole[at..at + p.len()].copy_from_slice(p);
        at += p.len();
    }
    whole
}

/// Adds to the answer of a call or query.
pub fn reply(answer: &[u8]) {
    unsafe { host::output(answer.as_ptr(), answer.len() as u32) }
}

pub fn emit(event_type: &str, subject: &[u8], data: &[u8]) {
    unsafe {
        host::emit(
            event_type.as_ptr(), event_type.len() as u32, subject.as_ptr(), subject.len() as u32,
            data.as_ptr(), data.len() as u32,
        )
    }
}

/// Copies the value under a key into dst, as far as it fits, and answers its whole size.
pub fn get(key: &[u8], dst: &mut [u8]) -> Option<usize> {
    let size = unsafe { host::state_get(key.as_ptr(), key.len() as u32, dst.as_mut_ptr(), dst.len() as u32) };
    usize::try_from(size).ok()
}

pub fn set(key: &[u8], value: &[u8]) {
    unsafe { host::state_set(key.as_ptr(), key.len() as u32, value.as_ptr(), value.len() as u32) }
}

pub fn delete(key: &[u8]) {
    unsafe { host::state_delete(key.as_ptr(), key.len() as u32) }
}

/// Pays from the contract's own account; false where the bank refuses.
pub fn transfer(asset: &[u8], to: &[u8; 20], amount: u64) -> bool {
    unsafe { host::transfer(asset.as_ptr(), asset.len() as u32, to.as_ptr(), amount as i64) == 0 }
}

/// What the contract itself has of an asset.
pub fn own_balance(asset: &[u8]) -> u64 {
    let mut own = [0; 20];
    unsafe {
        host::own_address(own.as_mut_ptr());
        host::balance(asset.as_ptr(), asset.len() as u32, own.as_ptr()) as u64
    }
}

/// A part of the state with keys of its own, named by one letter. The byte
/// before it is the name's length, as in the Go SDK.
#[derive(Clone, Copy)]
pub struct Map(pub u8);

impl Map {
    fn full(self, key: &[u8]) -> &'static [u8] {
        join(&[&[1, self.0], key])
    }

    pub fn get(self, key: &[u8], dst: &mut [u8]) -> Option<usize> {
        get(self.full(key), dst)
    }

    pub fn set(self, key: &[u8], value: &[u8]) {
        set(self.full(key), value)
    }

    pub fn delete(self, key: &[u8]) {
        delete(self.full(key))
    }

    /// Calls visit for every key greater than after (empty for all), ascending,
    /// until it answers false; and whether it never did.
    pub fn each(self, after: &[u8], visit: &mut dyn FnMut(&'static [u8], &'static [u8]) -> bool) -> bool {
        let mut after: &[u8] = if after.is_empty() { &[] } else { self.full(after) };
        loop {
            let mut page = Reader::new(scan(&[1, self.0], after));
            if page.is_done() {
                return true;
            }
            while !page.is_done() {
                let (key, value) = (page.bytes(), page.bytes());
                if !visit(&key[2..], value) {
                    return false;
                }
                after = key;
            }
        }
    }
}

/// One page of pairs as the host writes them, empty at the end.
fn scan(prefix: &[u8], after: &[u8]) -> &'static [u8] {
    let read = |dst: &mut [u8]| unsafe {
        host::state_scan(
            prefix.as_ptr(), prefix.len() as u32, after.as_ptr(), after.len() as u32,
            64, dst.as_mut_ptr(), dst.len() as u32,
        )
    };
    let mut page = alloc(8192);
    let mut size = read(page);
    if size < 0 {
        page = alloc(-size as usize); // one pair is larger than the page
        size = read(page);
    }
    &page[..size as usize]
}

/// A number of the state, 0 until it is set; the key is the name behind its length.
pub struct Counter(pub &'static [u8]);

impl Counter {
    pub fn value(&self) -> u64 {
        let mut b = [0; 8];
        match get(self.0, &mut b) {
            None => 0,
            Some(8) => u64::from_le_bytes(b),
            Some(_) => abort(CODE_STATE, "a stored number has not 8 bytes"),
        }
    }

    pub fn add(&self, n: u64) -> u64 {
        let v = self.value().wrapping_add(n);
        set(self.0, &v.to_le_bytes());
        v
    }
}

/// Walks a flat little-endian record in order. Reading what is not there aborts.
pub struct Reader {
    rest: &'static [u8],
}

impl Reader {
    pub fn new(record: &'static [u8]) -> Reader {
        Reader { rest: record }
    }

    /// The whole input of this delivery.
    pub fn input(size: u32) -> Reader {
        let record = alloc(size as usize);
        unsafe { host::input(0, record.as_mut_ptr(), size) };
        Reader::new(record)
    }

    pub fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    fn take(&mut self, n: usize) -> &'static [u8] {
        if n > self.rest.len() {
            abort(CODE_RECORD, "the input is not of the manifest this contract was built for");
        }
        let (taken, rest) = self.rest.split_at(n);
        self.rest = rest;
        taken
    }

    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut a = [0; N];
        a.copy_from_slice(self.take(N));
        a
    }

    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    pub fn flag(&mut self) -> bool {
        let [b] = self.array();
        if b > 1 {
            abort(CODE_RECORD, "a flag is neither 0 nor 1");
        }
        b == 1
    }

    pub fn bytes(&mut self) -> &'static [u8] {
        let len = u32::from_le_bytes(self.array());
        self.take(len as usize)
    }

    fn required(&mut self) {
        if !self.flag() {
            abort(CODE_RECORD, "a field is missing");
        }
    }

    /// A required uint field.
    pub fn field_u64(&mut self) -> u64 {
        self.required();
        self.u64()
    }

    /// A required bool field.
    pub fn field_bool(&mut self) -> bool {
        self.required();
        self.flag()
    }

    /// A required string field.
    pub fn field_bytes(&mut self) -> &'static [u8] {
        self.required();
        self.bytes()
    }

    /// An optional uint, or an int or decimal by its bits.
    pub fn optional_u64(&mut self) -> Option<u64> {
        self.flag().then(|| self.u64())
    }

    /// An optional string.
    pub fn optional_bytes(&mut self) -> Option<&'static [u8]> {
        self.flag().then(|| self.bytes())
    }
}

/// The header of an event, as far as this contract reads it, and its fields.
pub struct Event {
    pub time_ms: u64,
    pub index: u64,
    pub time_ns: i64, // the event's own, or the block's where it has none
    pub origin: [u8; 20],
    pub subject: &'static [u8],
    pub fields: Reader,
}

impl Event {
    pub fn read(size: u32) -> Event {
        let mut r = Reader::input(size);
        let (_height, time_ms, index, own_ns) = (r.u64(), r.u64(), r.u64(), r.u64());
        let has_time = r.flag();
        let origin = r.array();
        let (_id, _source, _type, subject) = (r.bytes(), r.bytes(), r.bytes(), r.bytes());
        let time_ns = if has_time { own_ns as i64 } else { (time_ms as i64).wrapping_mul(1_000_000) };
        Event { time_ms, index, time_ns, origin, subject, fields: r }
    }
}

/// The header of an init, call or query, and its fields.
pub struct Request {
    pub time_ms: u64,
    pub caller: [u8; 20],
    pub fields: Reader,
}

impl Request {
    pub fn read(size: u32) -> Request {
        let mut r = Reader::input(size);
        let (_height, time_ms) = (r.u64(), r.u64());
        Request { time_ms, caller: r.array(), fields: r }
    }
}

/// Writes a fixed-size record of the state, in order.
pub struct Writer<const N: usize> {
    pub record: [u8; N],
    at: usize,
}

impl<const N: usize> Writer<N> {
    pub fn new() -> Self {
        Writer { record: [0; N], at: 0 }
    }

    pub fn put(&mut self, bytes: &[u8]) -> &mut Self {
        self.record[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
        self
    }

    pub fn u64(&mut self, v: u64) -> &mut Self {
        self.put(&v.to_le_bytes())
    }

    pub fn u32(&mut self, v: u32) -> &mut Self {
        self.put(&v.to_le_bytes())
    }
}

/// Reads what Writer wrote; the caller has checked the size.
pub struct Cursor<'a>(pub &'a [u8]);

impl Cursor<'_> {
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let (taken, rest) = self.0.split_at(N);
        self.0 = rest;
        let mut a = [0; N];
        a.copy_from_slice(taken);
        a
    }

    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    pub fn i64(&mut self) -> i64 {
        i64::from_le_bytes(self.array())
    }

    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }
}
