//! Release 1 of the shop.

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    shop::work::serve(shop::work::Release::One).await
}
