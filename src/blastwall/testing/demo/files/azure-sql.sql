CREATE TABLE customers (
    id int PRIMARY KEY, name nvarchar(60) NOT NULL, email varchar(100), phone varchar(30), ssn char(11)
);
CREATE TABLE orders (
    id int PRIMARY KEY, customer_id int NOT NULL, total decimal(10, 2) NOT NULL, status varchar(10), note nvarchar(200)
);
