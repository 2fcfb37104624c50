;; The benchmarks' contract: an exponentially weighted moving average per
;; subject, kept as a scaled integer, that emits an event above a threshold.
;; One field: value, decimal(3). Assemble with: wat2wasm ewma.wat -o ewma.wasm
(module
  (import "cairn" "input" (func $input (param i32 i32 i32)))
  (import "cairn" "state_get" (func $get (param i32 i32 i32 i32) (result i32)))
  (import "cairn" "state_set" (func $set (param i32 i32 i32 i32)))
  (import "cairn" "emit" (func $emit (param i32 i32 i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "alarm.v1{\"high\":true}")
  ;; the record is at 1024: header of 53 bytes, then id, source, type, subject
  (func $skip (param $at i32) (result i32)
    (i32.add (i32.add (local.get $at) (i32.const 4)) (i32.load (local.get $at))))
  (func (export "cairn_event") (param $handler i32) (param $size i32) (result i32)
    (local $subject i32) (local $length i32) (local $value i64) (local $average i64)
    (call $input (i32.const 0) (i32.const 1024) (local.get $size))
    (local.set $subject (call $skip (call $skip (call $skip (i32.const 1077)))))
    (local.set $length (i32.load (local.get $subject)))
    (local.set $value (i64.load (i32.add (call $skip (local.get $subject)) (i32.const 1))))
    (local.set $subject (i32.add (local.get $subject) (i32.const 4)))
    (if (i32.eq (call $get (local.get $subject) (local.get $length) (i32.const 512) (i32.const 8)) (i32.const 8))
      (then
        (local.set $average (i64.load (i32.const 512)))
        (local.set $average (i64.add (local.get $average)
          (i64.shr_s (i64.sub (local.get $value) (local.get $average)) (i64.const 3)))))
      (else (local.set $average (local.get $value))))
    (i64.store (i32.const 512) (local.get $average))
    (call $set (local.get $subject) (local.get $length) (i32.const 512) (i32.const 8))
    (if (i64.gt_s (local.get $average) (i64.const 100000))
      (then (call $emit (i32.const 0) (i32.const 8) (local.get $subject) (local.get $length) (i32.const 8) (i32.const 13))))
    (i32.const 0))
)
