;; Loops that show what metering costs. handler 0: collatz steps of the first
;; thousands, 1: a byte loop over 64 KiB, 2: recursive fibonacci of 20, 3:
;; remainders and divisions. Assemble with: wat2wasm kernels.wat -o kernels.wasm
(module
  (memory (export "memory") 2)
  (func $collatz (result i32) (local $n i64) (local $start i64) (local $steps i32)
    (local.set $start (i64.const 1))
    (loop $next
      (local.set $n (local.get $start))
      (block $done
        (loop $step
          (br_if $done (i64.eq (local.get $n) (i64.const 1)))
          (if (i64.eqz (i64.and (local.get $n) (i64.const 1)))
            (then (local.set $n (i64.shr_u (local.get $n) (i64.const 1))))
            (else (local.set $n (i64.add (i64.mul (local.get $n) (i64.const 3)) (i64.const 1)))))
          (local.set $steps (i32.add (local.get $steps) (i32.const 1)))
          (br $step)))
      (br_if $next (i64.lt_u (local.tee $start (i64.add (local.get $start) (i64.const 1))) (i64.const 1000))))
    (local.get $steps))
  (func $bytes (result i32) (local $at i32) (local $sum i32)
    (loop $next
      (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 31)) (i32.load8_u (local.get $at))))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (i32.const 65536))))
    (local.get $sum))
  (func $fibonacci (param $n i32) (result i32)
    (if (i32.lt_u (local.get $n) (i32.const 2)) (then (return (local.get $n))))
    (i32.add (call $fibonacci (i32.sub (local.get $n) (i32.const 1))) (call $fibonacci (i32.sub (local.get $n) (i32.const 2)))))
  (func $divisions (result i32) (local $i i32) (local $sum i32)
    (loop $next
      (local.set $sum (i32.add (local.get $sum) (i32.rem_s (i32.const 1234567) (i32.add (local.get $i) (i32.const 1)))))
      (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 10000))))
    (local.get $sum))
  (func (export "cairn_event") (param $handler i32) (param $size i32) (result i32)
    (block $3 (block $2 (block $1 (block $0
      (br_table $0 $1 $2 $3 (local.get $handler)))
      (return (i32.eqz (call $collatz))))
      (return (i32.eqz (i32.or (call $bytes) (i32.const 1)))))
      (return (i32.eqz (call $fibonacci (i32.const 20)))))
    (i32.eqz (call $divisions)))
)
