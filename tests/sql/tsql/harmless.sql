SELECT 1
GO
SELECT @@VERSION
GO
SET TRANSACTION ISOLATION LEVEL READ COMMITTED
GO
SET ANSI_NULLS ON; SET ANSI_PADDING ON; SET ANSI_WARNINGS ON; SET CONCAT_NULL_YIELDS_NULL ON; SET QUOTED_IDENTIFIER ON
GO
set textsize 2147483647
set quoted_identifier on
set arithabort off
set ansi_null_dflt_on on
set cursor_close_on_commit off
set implicit_transactions off
set language us_english
set dateformat mdy
set datefirst 7
set transaction isolation level read committed
GO
SELECT SERVERPROPERTY('ProductVersion'), SERVERPROPERTY('EngineEdition'), DB_NAME(), SUSER_SNAME(), ORIGINAL_LOGIN()
GO
IF @@TRANCOUNT > 0 ROLLBACK TRAN
GO
BEGIN TRANSACTION
GO
IF @@TRANCOUNT > 0 COMMIT TRAN
GO
SELECT name, object_id FROM sys.tables WHERE is_ms_shipped = 0 ORDER BY name
GO
SELECT * FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'orders'
GO
SELECT s.name, t.name, c.name, ty.name FROM sys.schemas s JOIN sys.tables t ON t.schema_id = s.schema_id
JOIN sys.columns c ON c.object_id = t.object_id JOIN sys.types ty ON ty.user_type_id = c.user_type_id
GO
exec sp_columns N'orders', NULL, NULL, NULL, @ODBCVer = 3
GO
exec sp_tables NULL, NULL, NULL, '''TABLE'''
GO
EXEC sp_helptext 'dbo.purge'
GO
exec [sys].sp_datatype_info_100 -1, @ODBCVer=4
GO
SELECT CAST(SERVERPROPERTY(N'Servername') AS sysname) AS [Server_Name], ISNULL(SERVERPROPERTY(N'instancename'), N'') AS [x]
GO
select schema_name(), user_name()
GO
SELECT dtb.name AS [Name] FROM master.sys.databases AS dtb ORDER BY [Name] ASC
GO
SELECT case when cfg.configuration_id = 124 then 1 else 0 end FROM sys.configurations AS cfg
GO
DECLARE @now datetime2 = SYSUTCDATETIME(); PRINT CONVERT(varchar(30), @now, 126)
GO
SELECT OBJECT_ID(N'dbo.orders', N'U'), COL_LENGTH('orders', 'note')
GO
select count(*) from sysobjects where type = 'U'
GO
SET NOCOUNT ON; DECLARE @t TABLE (a int); INSERT @t VALUES (1), (2); SELECT SUM(a) FROM @t
GO
CREATE TABLE #work (id int PRIMARY KEY, label nvarchar(20)); INSERT #work VALUES (1, N'a'); SELECT * FROM #work; DROP TABLE #work
GO
SELECT value FROM STRING_SPLIT('a,b', ',')
GO
SELECT * FROM OPENJSON(N'{"a": 1}') WITH (a int '$.a')
GO
EXEC sp_executesql N'SELECT @a AS a', N'@a int', @a = 5
GO
SELECT name FROM tempdb.sys.objects WHERE type = 'U'
GO
select number from master..spt_values where type = 'P'
GO
EXEC sp_describe_first_result_set N'select * from orders'
GO
SELECT * FROM sys.dm_exec_describe_first_result_set(N'select 1', NULL, 0)
GO
WAITFOR DELAY '00:00:00'
GO
SELECT JSON_VALUE('{"a":1}', '$.a'), TRY_CONVERT(int, 'x'), FORMAT(GETDATE(), 'd'), IIF(1 = 1, 2, 3)
GO
BEGIN TRY SELECT 1 / 0 END TRY BEGIN CATCH SELECT ERROR_NUMBER(), ERROR_MESSAGE(); THROW END CATCH
GO
select is_srvrolemember('sysadmin'), has_perms_by_name(null, null, 'VIEW SERVER STATE')
GO
DBCC USEROPTIONS
