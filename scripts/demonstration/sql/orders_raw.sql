CREATE EXTERNAL TABLE IF NOT EXISTS orders_raw (
  event_id string,
  InvoiceNo string,
  StockCode string,
  Description string,
  Quantity int,
  InvoiceDate string,
  UnitPrice decimal(12, 4),
  CustomerID int,
  Country string
)
PARTITIONED BY (year string, month string, day string, hour string)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
LOCATION 's3://{bucket}/raw/'
