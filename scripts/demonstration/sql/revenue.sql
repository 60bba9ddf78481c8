SELECT Country AS country, count(*) AS lines, sum(Quantity * UnitPrice) AS revenue
FROM orders_raw
GROUP BY Country
ORDER BY revenue DESC
