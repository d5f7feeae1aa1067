"""What Azure's operations do, in the words of effects.

A read is `read`, a PUT `create` and `update`, a PATCH `update`, a DELETE `delete`, unless this catalogue says
otherwise. What an action (a POST) does, only its own provider knows: one that is not here is `unclassified`.

Sources: the permissions of Azure's built-in roles and of each provider ("Azure permissions" in the documentation of
role-based access control), the REST reference, and what is published of ways from a right in Resource Manager to a
credential, to code on a machine, or to more rights. The first table that has the operation decides. Of reads, only
what reveals counts.
"""

from __future__ import annotations

import re
from functools import lru_cache

from blastwall.model.effects import Action

_LOCKS = """
microsoft.authorization/locks/*
"""
_ENTITLE = """
microsoft.solutions/*/write microsoft.apimanagement/*subscriptions/write microsoft.apimanagement/service/tenant/write
microsoft.servicelinker/*/write microsoft.aad/*/write microsoft.authorization/*/write microsoft.authorization/*/delete
microsoft.authorization/*/action microsoft.billing/*/write microsoft.billing/*/delete microsoft.billing/*/action
microsoft.blueprint/blueprintassignments/* microsoft.cache/*/accesspolic*/write microsoft.cache/*/accesspolic*/delete
microsoft.containerregistry/registries/scopemaps/* microsoft.containerregistry/registries/tokens/write
microsoft.containerservice/*/trustedaccessrolebindings/write microsoft.containerservice/*/reset*profile/action
microsoft.documentdb/*roledefinitions/* microsoft.documentdb/*roleassignments/* microsoft.documentdb/*users/write
microsoft.documentdb/*userdefinitions/* microsoft.keyvault/vaults/accesspolicies/*
microsoft.kusto/*principalassignments/* microsoft.kusto/*principals/action microsoft.kusto/*/scripts/write
microsoft.machinelearningservices/*/rbac/* microsoft.managedidentity/*/federatedidentitycredentials/*
microsoft.managedidentity/*/assign/action microsoft.managedservices/*
microsoft.management/managementgroups/subscriptions/* microsoft.solutions/jitrequests/*
microsoft.sql/*/administrators/* microsoft.sql/*/azureadonlyauthentications/* microsoft.dbfor*/administrators/*
microsoft.storage/storageaccounts/localusers/write microsoft.subscription/*accept*/action
microsoft.subscription/*changetenant*/action microsoft.subscription/policies/* microsoft.synapse/*administrators/*
microsoft.synapse/*/roleassignments/* */authorizationrules/write */authorizationrules/delete */roleassignments/write
*/roleassignments/delete */roledefinitions/write */roledefinitions/delete
"""
_REVEAL = """
microsoft.web/*/processes/*read microsoft.recoveryservices/vaults/extendedinformation/read
microsoft.apimanagement/*subscriptions/read microsoft.apimanagement/*users/keys/read
microsoft.apimanagement/service/properties/read microsoft.apimanagement/*authorizationservers/read
microsoft.apimanagement/*identityproviders/read microsoft.apimanagement/*openidconnectproviders/read
microsoft.notificationhubs/*/authorizationrules/read microsoft.network/expressrouteports/authorizations/*
microsoft.network/*/sharedkeys/* microsoft.avs/*/authorizations/* microsoft.insights/actiongroups/read
microsoft.devtestlab/*/secrets/* microsoft.devtestlab/*/artifactsources/read
microsoft.containerregistry/*/listdetails/action
microsoft.servicelinker/*/action */*sas/action */generatessourl/action microsoft.logic/*/runs/*
microsoft.dbfor*/logfiles/* microsoft.hdinsight/clusters/configurations/*
microsoft.hdinsight/clusters/getgatewaysettings/action microsoft.apimanagement/service/*/listsecrets/action
microsoft.apimanagement/service/gateways/*key* microsoft.apimanagement/service/subscriptions/read
microsoft.apimanagement/service/tenant/* microsoft.appconfiguration/configurationstores/keyvalues/read
microsoft.automation/automationaccounts/agentregistrationinformation/*
microsoft.automation/automationaccounts/webhooks/action microsoft.cognitiveservices/*key*/action
microsoft.cache/redis/write microsoft.compute/sshpublickeys/generatekeypair/action
microsoft.compute/*/retrievebootdiagnosticsdata/action
microsoft.containerregistry/registries/generatecredentials/action
microsoft.containerservice/managedclusters/accessprofiles/* microsoft.desktopvirtualization/*registration*/action
microsoft.documentdb/databaseaccounts/readonlykeys/* microsoft.eventgrid/*/getfullurl/action
microsoft.hybridconnectivity/*/action microsoft.keyvault/vaults/secrets/value/read microsoft.logic/*/runs/actions/*
microsoft.logic/*/triggers/histories/read microsoft.logic/*callbackurl*
microsoft.machinelearningservices/*token*/action microsoft.network/*/sharedkey/*
microsoft.network/expressroutecircuits/authorizations/* microsoft.network/*vpnclient*/action
microsoft.network/*vpnprofile*/action microsoft.network/*vpnpackage*/action
microsoft.network/bastionhosts/*link*/action microsoft.network/*generatevpn*
microsoft.operationalinsights/workspaces/sharedkeys/* microsoft.recoveryservices/vaults/certificates/write
microsoft.search/searchservices/*querykey* microsoft.storage/storageaccounts/*sas/action
microsoft.web/publishingusers/* microsoft.web/sourcecontrols/* microsoft.web/*/publishxml/action
microsoft.web/sites/config/list/action microsoft.web/sites/*/config/list/action microsoft.web/*/token/*
microsoft.web/*/hostruntime/read microsoft.web/*/hostruntime/*/read microsoft.web/*/extensions/*read
microsoft.web/*/backup*/list/action microsoft.web/staticsites/*list*/action microsoft.web/connections/*/action
microsoft.web/serverfarms/virtualnetworkconnections/gateways/* */listkeys/* */*key*/action */*secret*/action
*/*credential*/action */*password*/action */*token*/action */*connectionstring*/action */*kubeconfig*/action
*/*sasur*/action */*sastoken*/action */*callbackurl*/action */*publishingprofile*/action */list*keys/read
*/list*credential*/read */list*secret*/read */generateuri/action
"""
_EXECUTE = """
microsoft.apimanagement/*policies/write microsoft.apimanagement/*policyfragments/write
microsoft.appplatform/*deployments/write microsoft.compute/cloudservices/write microsoft.servicefabric/*services/write
microsoft.servicefabric/*applications/write
*machine*/extensions/write *machine*/runcommands/write microsoft.azurestackhci/*/extensions/write
microsoft.app/containerapps/write microsoft.app/jobs/write microsoft.app/jobs/*/action microsoft.app/*/exec/action
microsoft.app/containerapps/sourcecontrols/* microsoft.app/sessionpools/write microsoft.app/builders/*
microsoft.app/*/daprcomponents/write microsoft.automation/automationaccounts/runbooks/*
microsoft.automation/automationaccounts/jobs/* microsoft.automation/automationaccounts/jobschedules/*
microsoft.automation/automationaccounts/webhooks/write microsoft.automation/automationaccounts/*packages/*
microsoft.automation/automationaccounts/modules/* microsoft.automation/automationaccounts/configurations/*
microsoft.automation/automationaccounts/compilationjobs/* microsoft.automation/automationaccounts/nodeconfigurations/*
microsoft.automation/automationaccounts/sourcecontrols/* microsoft.automation/automationaccounts/watchers/*
microsoft.automation/automationaccounts/hybridrunbookworkergroups/*
microsoft.automation/automationaccounts/runtimeenvironments/* microsoft.automation/automationaccounts/powershell*
microsoft.batch/batchaccounts/pools/write microsoft.batch/batchaccounts/applications/*
microsoft.compute/*/runcommand/action microsoft.compute/*/runcommands/write microsoft.compute/*/runcommands/action
microsoft.compute/virtualmachines/extensions/write microsoft.compute/virtualmachinescalesets/*extensions/write
microsoft.compute/galleries/applications/* microsoft.compute/*/installpatches/action
microsoft.containerinstance/containergroups/write microsoft.containerinstance/*/exec/action
microsoft.containerinstance/*/attach/action microsoft.containerinstance/containergroupprofiles/write
microsoft.containerregistry/registries/*run*/action microsoft.containerregistry/registries/runs/*
microsoft.containerregistry/registries/tasks/* microsoft.containerregistry/registries/taskruns/*
microsoft.containerregistry/registries/importimage/action microsoft.containerregistry/registries/buildtasks/*
microsoft.containerservice/*/runcommand/action microsoft.customproviders/*/write
microsoft.datafactory/*/createrun/action microsoft.datafactory/*/start/action microsoft.datafactory/*/debug*/action
microsoft.datafactory/*/adddataflowtodebugsession/action microsoft.datafactory/*/execute*/action
microsoft.devtestlab/*/execute/action microsoft.devtestlab/*/applyartifacts/action
microsoft.guestconfiguration/*/write microsoft.hdinsight/clusters/*script*
microsoft.hybridcompute/machines/extensions/write microsoft.hybridcompute/machines/runcommands/write
microsoft.hybridcompute/machines/*/action microsoft.kubernetesconfiguration/*/write microsoft.logic/*/run/action
microsoft.logic/*/write microsoft.logic/*/resubmit/action microsoft.machinelearningservices/workspaces/jobs/write
microsoft.machinelearningservices/workspaces/computes/write microsoft.machinelearningservices/*deployments/write
microsoft.resources/deploymentscripts/write microsoft.serialconsole/* microsoft.streamanalytics/*functions/write
microsoft.synapse/*/execute*/action microsoft.virtualmachineimages/imagetemplates/write
microsoft.virtualmachineimages/imagetemplates/run/action microsoft.web/sites/extensions/*
microsoft.web/sites/*/extensions/* microsoft.web/*/functions/write microsoft.web/*/functions/delete
microsoft.web/*/functions/*/write microsoft.web/*/host/*/write microsoft.web/*/host/*/action
microsoft.web/*/hostruntime/* microsoft.web/*/publish/action microsoft.web/*/sourcecontrols/write
microsoft.web/*/deployments/write microsoft.web/*/deploy*/action microsoft.web/*webjobs/* microsoft.web/*/processes/*
microsoft.web/*/siteextensions/* microsoft.web/*/config/write microsoft.web/*/zipdeploy/action
microsoft.web/*/instances/deployments/* microsoft.web/*/sync*triggers/action microsoft.web/*/restore*/action
microsoft.web/staticsites/*/write microsoft.web/staticsites/*zip*/action */runcommand/action */executescript*/action
*/invoke/action */exec/action
"""
_EXPORT = """
microsoft.cache/*/export/action microsoft.compute/*/begingetaccess/action microsoft.compute/snapshots/write
microsoft.compute/*/capture/action microsoft.compute/restorepointcollections/*write
microsoft.containerregistry/registries/exportpipelines/* microsoft.containerregistry/registries/pipelineruns/*
microsoft.costmanagement/exports/* microsoft.databox/* microsoft.datamigration/* microsoft.datashare/*/write
microsoft.dbfor*/backups/write microsoft.dbfor*/*backup*/action microsoft.eventgrid/*eventsubscriptions/write
microsoft.importexport/* microsoft.insights/exportconfiguration/* microsoft.migrate/*
microsoft.network/networkwatchers/packetcaptures/write microsoft.network/*packetcapture*/action
microsoft.network/virtualnetworktaps/* microsoft.operationalinsights/workspaces/dataexports/*
microsoft.recoveryservices/*restore*/action microsoft.recoveryservices/*crossregionrestore*
microsoft.dataprotection/*restore*/action microsoft.sql/*/export/action microsoft.sql/*/import/action
microsoft.sql/*/databases/extensions/* microsoft.sql/*/importexportoperations/* microsoft.sql/*/copy*/action
microsoft.storage/storageaccounts/objectreplicationpolicies/* microsoft.storage/storageaccounts/inventorypolicies/*
microsoft.storage/storagetasks/* microsoft.storage/storageaccounts/storagetaskassignments/* microsoft.storagemover/*
microsoft.storagesync/* microsoft.storagecache/*/write */export/action */exportdata/action */copy/action
"""
_ADMIN = """
microsoft.capacity/* microsoft.billingbenefits/* microsoft.marketplaceordering/* microsoft.saas/*
microsoft.alertsmanagement/* microsoft.insights/diagnosticsettings/* microsoft.insights/*alert*
microsoft.insights/actiongroups/* microsoft.insights/datacollection* microsoft.insights/logprofiles/*
microsoft.insights/scheduledqueryrules/* microsoft.insights/privatelinkscopes/* microsoft.insights/autoscalesettings/*
microsoft.keyvault/*hsms/*/action microsoft.compute/diskaccesses/* microsoft.consumption/budgets/*
microsoft.containerservice/*/rotateclustercertificates/action microsoft.documentdb/*/failoverprioritychange/action
microsoft.features/* microsoft.maintenance/* microsoft.management/* microsoft.network/*firewall*
microsoft.network/networksecurity* microsoft.network/*securityrules/* microsoft.network/privateendpoints/*
microsoft.network/privatelinkservices/* microsoft.network/routetables/* microsoft.network/ddos*
microsoft.network/*peerings/* microsoft.network/networkmanagers/* microsoft.network/networkwatchers/flowlogs/*
microsoft.network/networkwatchers/configureflowlog/action microsoft.network/virtualnetworks/subnets/*
microsoft.operationalinsights/*/tables/* microsoft.policyinsights/* microsoft.recoveryservices/vaults/backupconfig/*
microsoft.recoveryservices/*policies/* microsoft.recoveryservices/*resourceguard*
microsoft.dataprotection/*resourceguard* microsoft.security/* microsoft.securityinsights/*
microsoft.storage/storageaccounts/*services/write microsoft.storage/storageaccounts/*immutab*
microsoft.storage/*/legalhold/action microsoft.storage/*legalhold/action
microsoft.storage/storageaccounts/managementpolicies/* microsoft.storage/storageaccounts/failover/action
microsoft.storage/storageaccounts/encryptionscopes/* microsoft.subscription/* microsoft.web/*credentialspolicies/*
microsoft.web/*/networkconfig/* microsoft.web/*virtualnetworkconnections/* */auditingsettings/*
*/extendedauditingsettings/* */devopsauditingsettings/* */securityalertpolicies/* */vulnerabilityassessments/*
*/sqlvulnerabilityassessments/* */advancedthreatprotectionsettings/* */transparentdataencryption/*
*/encryptionprotector/* */firewallrules/* */ipv6firewallrules/* */virtualnetworkrules/* */outboundfirewallrules/*
*/ipfilterrules/* */networkrulesets/* */privateendpointconnections/* */privateendpointconnectionproxies/*
*/privateendpointconnectionsapproval/action */privatelinkassociations/* */networksecurityperimeter*
*/unregister/action */failover/action */forcefailover*/action */configurations/write */updateconfigurations/action
*/approve*/action */reject*/action */initiate/action
"""
_DROP = """
microsoft.containerservice/managedclusters/agentpools/deletemachines/action
microsoft.resources/subscriptions/resourcegroups/delete microsoft.resources/subscriptions/delete
microsoft.resources/deploymentstacks/delete microsoft.management/managementgroups/delete
microsoft.subscription/*cancel/action microsoft.keyvault/*purge/action microsoft.keyvault/vaults/delete
microsoft.keyvault/managedhsms/delete microsoft.appconfiguration/*purge/action
microsoft.appconfiguration/*stores/delete microsoft.storage/storageaccounts/delete
microsoft.storage/storageaccounts/*/containers/delete microsoft.storage/storageaccounts/*/shares/delete
microsoft.storage/storageaccounts/*/queues/delete microsoft.storage/storageaccounts/*/tables/delete
microsoft.sql/servers/delete microsoft.sql/*databases/delete microsoft.sql/managedinstances/delete
microsoft.sql/servers/elasticpools/delete microsoft.dbfor*servers/delete microsoft.dbfor*databases/delete
microsoft.documentdb/*/delete microsoft.cache/*/delete microsoft.cache/*/flush/action microsoft.cache/*/import*/action
microsoft.kusto/*/delete microsoft.synapse/*/delete microsoft.databricks/*/delete
microsoft.operationalinsights/workspaces/delete microsoft.operationalinsights/*/purge/action
microsoft.recoveryservices/vaults/delete microsoft.recoveryservices/*protecteditems/delete
microsoft.dataprotection/*/delete microsoft.containerregistry/registries/delete
microsoft.containerregistry/registries/*repositor*/delete microsoft.containerservice/managedclusters/delete
microsoft.containerservice/fleets/delete microsoft.redhatopenshift/*/delete microsoft.compute/disks/delete
microsoft.compute/snapshots/delete microsoft.compute/galleries/delete microsoft.compute/restorepoint*/delete
microsoft.compute/virtualmachinescalesets/delete/action microsoft.compute/*/reimage*/action microsoft.netapp/*/delete
microsoft.elasticsan/*/delete microsoft.datalakestore/*/delete microsoft.eventhub/namespaces/delete
microsoft.eventhub/*/eventhubs/delete microsoft.servicebus/namespaces/delete microsoft.servicebus/*/queues/delete
microsoft.servicebus/*/topics/delete microsoft.automation/automationaccounts/delete
microsoft.machinelearningservices/workspaces/delete microsoft.cognitiveservices/*/delete
microsoft.cognitiveservices/*/purge/action microsoft.search/searchservices/delete
microsoft.apimanagement/service/delete microsoft.apimanagement/*/purge/action microsoft.datafactory/factories/delete
microsoft.logic/integrationaccounts/delete microsoft.devices/iothubs/delete microsoft.app/managedenvironments/delete
microsoft.web/serverfarms/delete microsoft.web/hostingenvironments/delete microsoft.network/*dnszones/delete
microsoft.network/virtualnetworks/delete microsoft.solutions/*/delete */purge/action */purgedeleted*/action
"""
_READ = """
microsoft.authorization/checkaccess/action microsoft.advisor/*/read microsoft.costmanagement/query/action
microsoft.costmanagement/forecast/action microsoft.costmanagement/*/query/action
microsoft.costmanagement/generatedetailedcostreport/action
microsoft.costmanagement/generatereservationdetailsreport/action microsoft.consumption/*/read
microsoft.management/getentities/action microsoft.management/checknameavailability/action
microsoft.network/networkinterfaces/effective*/action microsoft.network/networkwatchers/topology/action
microsoft.network/networkwatchers/nexthop/action microsoft.network/networkwatchers/ipflowverify/action
microsoft.network/networkwatchers/securitygroupview/action microsoft.network/*/getbgppeerstatus/action
microsoft.network/*/getlearnedroutes/action microsoft.network/*/getadvertisedroutes/action
microsoft.operationalinsights/workspaces/query/action microsoft.operationalinsights/workspaces/search/action
microsoft.policyinsights/*/queryresults/action microsoft.policyinsights/*/summarize/action
microsoft.policyinsights/checkpolicyrestrictions/action microsoft.resourcehealth/*/read
microsoft.resources/calculatetemplatehash/action microsoft.resources/checkresourcename/action
microsoft.resources/deployments/exporttemplate/action microsoft.resources/deploymentstacks/exporttemplate/action
microsoft.resources/subscriptions/resourcegroups/exporttemplate/action
microsoft.support/*/checknameavailability/action microsoft.capacity/*/read microsoft.capacity/calculate*/action
microsoft.capacity/validate*/action */checknameavailability/action */check*nameavailability/action */listusages/action
"""
_ACTIONS = """
microsoft.compute/virtualmachines/start/action microsoft.compute/virtualmachines/restart/action
microsoft.compute/virtualmachines/poweroff/action microsoft.compute/virtualmachines/deallocate/action
microsoft.compute/virtualmachines/redeploy/action microsoft.compute/virtualmachines/reapply/action
microsoft.compute/virtualmachines/performmaintenance/action microsoft.compute/virtualmachines/simulateeviction/action
microsoft.compute/virtualmachines/generalize/action microsoft.compute/virtualmachines/assesspatches/action
microsoft.compute/virtualmachines/convertto*/action microsoft.compute/virtualmachinescalesets/*start/action
microsoft.compute/virtualmachinescalesets/*restart/action microsoft.compute/virtualmachinescalesets/*poweroff/action
microsoft.compute/virtualmachinescalesets/*deallocate/action
microsoft.compute/virtualmachinescalesets/*redeploy/action
microsoft.compute/virtualmachinescalesets/manualupgrade/action microsoft.compute/*/endgetaccess/action
microsoft.containerservice/managedclusters/start/action microsoft.containerservice/managedclusters/stop/action
microsoft.containerservice/managedclusters/abort/action microsoft.containerservice/managedclusters/agentpools/*/action
microsoft.containerinstance/containergroups/start/action microsoft.containerinstance/containergroups/stop/action
microsoft.containerinstance/containergroups/restart/action microsoft.app/containerapps/start/action
microsoft.app/containerapps/stop/action microsoft.app/containerapps/revisions/*/action
microsoft.web/sites/start/action microsoft.web/sites/stop/action microsoft.web/sites/restart/action
microsoft.web/sites/slots/start/action microsoft.web/sites/slots/stop/action microsoft.web/sites/slots/restart/action
microsoft.web/sites/slotsswap/action microsoft.web/sites/slots/slotsswap/action
microsoft.web/sites/applyslotconfig/action microsoft.web/sites/resetslotconfig/action
microsoft.dbfor*servers/start/action microsoft.dbfor*servers/stop/action microsoft.dbfor*servers/restart/action
microsoft.sql/servers/databases/pause/action microsoft.sql/servers/databases/resume/action
microsoft.sql/managedinstances/start/action microsoft.sql/managedinstances/stop/action
microsoft.cache/*/forcereboot/action microsoft.kusto/clusters/start/action microsoft.kusto/clusters/stop/action
microsoft.network/applicationgateways/start/action microsoft.network/applicationgateways/stop/action
microsoft.network/*/backendhealth/action microsoft.network/frontdoors/purge/action
microsoft.resources/deployments/cancel/action microsoft.streamanalytics/streamingjobs/start/action
microsoft.streamanalytics/streamingjobs/stop/action microsoft.synapse/*/pause/action microsoft.synapse/*/resume/action
microsoft.containerregistry/registries/webhooks/ping/action microsoft.~/register/action
"""


def _matcher(patterns: str) -> re.Pattern[str]:
    """Return what matches any of these; `*` stands for any text, `~` for any within one word."""
    escaped = (re.escape(one).replace(r"\*", ".*").replace(r"\~", "[^/]*") for one in patterns.split())
    return re.compile("|".join(escaped))


_TABLES: tuple[tuple[Action, re.Pattern[str]], ...] = (
    (Action.READ, _matcher(_READ)),
    (Action.ADMIN, _matcher(_LOCKS)),
    (Action.ENTITLE, _matcher(_ENTITLE)),
    (Action.DROP, _matcher(_DROP)),
    (Action.EXPORT, _matcher(_EXPORT)),
    (Action.REVEAL, _matcher(_REVEAL)),
    (Action.EXECUTE, _matcher(_EXECUTE)),
    (Action.ADMIN, _matcher(_ADMIN)),
    (Action.UPDATE, _matcher(_ACTIONS)),
)
_SHOWS_SECRETS = re.compile(r"/.*/providers/microsoft\.web/sites/.+/config/logs")
"""Ids of settings with addresses that have signatures in them, beside others of their type that have none."""

_USUAL = {"PUT": (Action.CREATE, Action.UPDATE), "PATCH": (Action.UPDATE,), "DELETE": (Action.DELETE,)}
_INSTEAD = frozenset({Action.ENTITLE, Action.ADMIN})
"""What is said in place of the usual: a role assignment is entitled, and no less by being created."""


@lru_cache(maxsize=4096)
def actions_of(key: str, method: str) -> tuple[Action, ...]:
    """Return what an operation, by its lower-case name, does when it is asked for by `method`."""
    found = next((action for action, pattern in _TABLES if pattern.fullmatch(key)), None)
    if method in {"GET", "HEAD"}:
        return (Action.READ, Action.REVEAL) if found is Action.REVEAL else (Action.READ,)
    if method == "POST":
        return (Action.UNCLASSIFIED,) if found is None else (found,)
    usual = _USUAL[method]
    if found in _INSTEAD or (method == "DELETE" and found is Action.DROP):
        return (found,) if found else usual
    adds = {Action.EXECUTE} if method == "DELETE" else {Action.EXECUTE, Action.EXPORT, Action.REVEAL}
    return (*usual, found) if found in adds and found else usual


def shows_secrets(identity: str) -> bool:
    """Whether reading what an id names hands out a credential, though its type does not say so."""
    return _SHOWS_SECRETS.fullmatch(identity) is not None
