extension ReportTests {
  static let junit = #"""
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="omni-conformance" tests="4" failures="1" errors="0" time="1.500">
    <testsuite name="Fixtures/server/t.yaml" tests="4" failures="1" errors="0" skipped="2" time="0.308">
    <properties>
    <property name="target" value="ws://127.0.0.1:18765"/>
    <property name="profile" value="reference"/>
    <property name="revision" value="1.0"/>
    <property name="seed" value="7"/>
    <property name="version" value="1.0.0"/>
    </properties>
    <testcase classname="t" name="good" time="0.002"></testcase>
    <testcase classname="t" name="bad" time="0.302">
    <failure type="fail" message="the frame differs">Fixtures/server/t.yaml:11
    it holds
    the frame differs
    - result: {}
    + &lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot;&gt;&lt;img src=x onerror=alert(1)&gt; %25,:#\
    MUST ping.object: An object is answered.
    0.001 c→s {&quot;id&quot;:1,&quot;method&quot;:&quot;ping&quot;}
    0.300 s→c &lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot;&gt;&lt;img src=x onerror=alert(1)&gt; %25,:#\
    rerun: omni-conformance run --target ws://127.0.0.1:18765 --run t/bad --seed 7</failure></testcase>
    <testcase classname="t" name="skipped" time="0.002"><skipped message="needs faults, which the target does not offer"/></testcase>
    <testcase classname="t" name="known" time="0.002"><skipped message="known to be failing: work is under way"/></testcase>
    </testsuite>
    </testsuites>

    """#

  static let tap = #"""
    TAP version 14
    1..4
    ok 1 - t/good
    not ok 2 - t/bad
      ---
      verdict: fail
      title: "it is bad"
      severity: fail
      level: must
      message: "the frame differs"
      at:
        file: "Fixtures/server/t.yaml"
        line: 11
      requirement: "ping.object"
      sentence: "An object is answered."
      diff:
        - wanted: "result: {}"
          found: "</script><script>alert(1)</script>\"><img src=x onerror=alert(1)> %25,:#\\"
      wire:
        - "0.001 c→s {\"id\":1,\"method\":\"ping\"}"
        - "0.300 s→c </script><script>alert(1)</script>\"><img src=x onerror=alert(1)> %25,:#\\"
      rerun: "omni-conformance run --target ws://127.0.0.1:18765 --run t/bad --seed 7"
      ...
    ok 3 - t/skipped # SKIP needs faults, which the target does not offer
    not ok 4 - t/known # TODO known to be failing: work is under way
      ---
      verdict: expected-failure
      title: "it is known"
      severity: todo
      level: must
      message: "expected failure"
      at:
        file: "Fixtures/server/t.yaml"
        line: 5
      rerun: "omni-conformance run --target ws://127.0.0.1:18765 --run t/known --seed 7"
      ...

    """#
}
