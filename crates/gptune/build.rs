//! Lets the program find LibTorch's libraries without anybody setting a variable.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // What the bindings' build script says about the LibTorch that it built against.
    if let Ok(libraries) = std::env::var("DEP_TCH_LIBTORCH_LIB")
        && std::env::var_os("CARGO_CFG_UNIX").is_some()
    {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{libraries}");
    }
}
