// What the reference server shows to operators. Another make need not have it, and is not wrong without.
extension Doctor {
  mutating func metrics(_ endpoint: LiveEndpoint) async {
    let title = "figures"
    let stranger = await endpoint.page("/metrics")
    guard plan.token != nil else {
      guard stranger.status == 200 else {
        return add(
          "metrics", title, .open, "/metrics " + Self.said(stranger), advice: "another make need not have it")
      }
      return add("metrics", title, .good, "/metrics says 200")
    }
    if stranger.status == 200 {
      return add(
        "metrics", title, .bad, "/metrics can be read without the token",
        advice: "has the server no token (OMNI_TOKEN), or does a proxy before it add one?")
    }
    let page = await endpoint.page("/metrics", bearer: plan.token)
    guard page.status == 200 else {
      return add(
        "metrics", title, .open, "/metrics " + Self.said(page), advice: "another make need not have it")
    }
    add("metrics", title, .good, "/metrics says 200, and \(stranger.status ?? 0) without the token")
  }

  mutating func dashboard(_ endpoint: LiveEndpoint) async {
    let title = "dashboard"
    let page = await endpoint.page("/")
    // With a token the page comes with 401, and asks for it.
    guard page.status == 200 || page.status == 401, page.text.lowercased().hasPrefix("<!doctype html") else {
      return add(
        "dashboard", title, .open, "there is no page at /", advice: "another make need not have one")
    }
    let seen = page.status == 200 ? "there is a page at /" : "the page at / asks for the token"
    add("dashboard", title, .good, seen)
  }
}
