pub const GREETING: &str = "vault%20of%20rust";
