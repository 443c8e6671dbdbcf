/// The version of the kit: of all three programs, whatever the revision of the protocol.
package let kitVersion = "0.1.0"
